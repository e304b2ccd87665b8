// Runs an installed VBench over a folder of videos, one dimension after the other.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace reel::vbench {

struct Evaluation {
  std::string program = "vbench";  ///< a name on the PATH, a path, or VBench's evaluate.py
  std::filesystem::path videos;
  std::filesystem::path results;  ///< made if need be; a folder a dimension below
  std::vector<std::string> dimensions;
  std::optional<std::filesystem::path> info;  ///< VBench_full_info.json
  std::optional<int64_t> num_gpus;            ///< --ngpus
};

/// The argument vector for one dimension that writes to `output`: never a shell's. A program that
/// ends in .py is run by python3.
std::vector<std::string> command_of(const Evaluation& evaluation, const std::string& dimension,
                                    const std::filesystem::path& output);

/// How a dimension ended.
struct DimensionRun {
  std::string dimension;
  bool was_done = false;  ///< by an earlier run
  int exit_code = 0;      ///< 128 + signal if a signal ended it
};

/// Runs every dimension that has no result yet; its result appears as `results`/<dimension> when it
/// is complete. Goes on after a dimension that failed. `told` is called before and after each one
/// (with none before). `stop` is asked while a dimension runs, and returns the signal to pass on.
/// Throws ConfigError if the program cannot be started, Interrupted if `stop` asked for it.
std::vector<DimensionRun> evaluate(
    const Evaluation& evaluation,
    const std::function<void(const std::string&, const std::optional<DimensionRun>&)>& told,
    const std::function<int()>& stop);

}  // namespace reel::vbench
