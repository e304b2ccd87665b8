// Which videos a VBench run needs: its prompt list cut, sampled and turned into jobs.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/problems.h"

namespace reel::vbench {

/// One entry of VBench_full_info.json.
struct Entry {
  int64_t number = 0;  ///< from 1, in the file's order
  std::string prompt;
  std::string long_prompt;              ///< of the same line of --long; empty: none
  std::vector<std::string> dimensions;  ///< that are evaluated on it
};

/// Reads an array of {"prompt_en", "dimension": [...], ...}. Adds every problem to `problems`.
std::vector<Entry> read_info(const std::filesystem::path& file, Problems& problems);

/// Pairs line k of `file` with entry k. Adds a problem unless there are as many lines as entries;
/// an empty last line does not count.
void read_long_prompts(const std::filesystem::path& file, std::vector<Entry>& entries,
                       Problems& problems);

/// What `vbench prepare` is asked for.
struct Selection {
  std::vector<std::string> dimensions = {};  ///< empty: all
  int64_t every = 1;                         ///< takes entries 1, 1 + k, 1 + 2k, ... of those
  int64_t samples = 5;
  std::optional<int64_t> flicker_samples = {};  ///< of temporal_flickering; else 25 if that
                                                ///< dimension was named, else `samples`
  uint64_t seed = 42;                           ///< of sample 0; sample i has seed + i
};

/// A prompt with all dimensions of the entries that share it.
struct Prompt {
  Entry entry;
  int64_t samples = 0;
};

/// Cuts the list. Entries with equal prompts become one, because their videos have one name. Adds a
/// problem for a name that is too long or cannot be one, and for names that clash.
std::vector<Prompt> select_prompts(const std::vector<Entry>& entries, const Selection& selection,
                                   Problems& problems);

/// A line for `batch`: prompt, prompt_rewritten if it has a long one, seeds, the protocol's name as
/// output, and tags.vbench {prompt, dimensions}.
nlohmann::json job_line(const Prompt& prompt, uint64_t first_seed);

}  // namespace reel::vbench
