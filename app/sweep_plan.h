// Everything that `sweep` decides before it loads anything: a batch of each prompt dense and in
// every setting of a grid.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/batch_plan.h"

namespace reel::app {

/// One setting of the grid.
struct SweepCell {
  std::vector<std::pair<std::string, std::string>> values;  ///< key of a job file, value

  std::string name() const;       ///< "tau=0.9, stride=8"
  std::string file_name() const;  ///< the same, fit for names of files
};

/// Reads "tau=0.8,0.9; stride=4,8": all combinations, the last key varies fastest. Adds a problem,
/// named --grid, for unknown keys, keys or values that come twice, and missing or ill-typed values.
std::vector<SweepCell> parse_grid(const std::string& text, Problems& problems);

struct SweepPlan {
  BatchPlan batch;  ///< tags of a job: its own, and
                    ///< "sweep": {"setting": a cell's name or "dense", "line": id}
  std::vector<SweepCell> cells;
  std::optional<std::filesystem::path> lpips_file;  ///< none: LPIPS is not measured
};

/// Checks flags, grid, job file, model folder and names together. Throws as plan_batch() does.
SweepPlan plan_sweep(const ParsedFlags& flags);

}  // namespace reel::app
