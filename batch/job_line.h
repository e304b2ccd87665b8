// One line of a job file, as its author wrote it: which keys there are and what they may hold.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/problems.h"

namespace reel::batch {

/// What a line asks for; what is empty was not written. One job for each of its seeds.
struct JobLine {
  std::string where;   ///< "jobs.jsonl:12", for errors
  std::string id;      ///< the line's number in the file, at least 4 digits, unless written
  std::string prompt;  ///< used for names, and as the text unless prompt_rewritten is there
  std::optional<std::string> prompt_rewritten, negative_prompt;
  std::optional<uint64_t> seed;
  std::vector<uint64_t> seeds;
  std::optional<int64_t> samples;
  std::optional<int64_t> width, height, frames, steps, stride, block;
  std::optional<double> guidance, cfg_scale, tau;
  std::optional<std::string> frame_rate, attention_mode, dense_steps, select, rule;
  std::optional<std::filesystem::path> schedule;  ///< relative to the job file's folder
  std::optional<std::string> output;              ///< template of the video's name
  nlohmann::json tags;                            ///< an object, copied into metadata; null: none
  nlohmann::json settings;  ///< the keys of this line that override flags, with their values
};

/// How a key's value is written.
enum class JobValue { kText, kCount, kNumber, kTextOrNumber, kSeed, kSeeds, kObject };

/// A key that lines may have.
struct JobKey {
  const char* name;
  JobValue value;
  bool overrides_flag;  ///< of the same name with dashes
};

const std::vector<JobKey>& job_keys();

/// Reads one object. Adds a problem "<where>: <key>: ..." for every unknown key (with the nearest
/// known one), wrong type, missing prompt, and for seeds that contradict each other; what is right
/// is in the line nevertheless, so that its values can be checked too.
JobLine parse_job_line(const std::string& where, int64_t line_number, const nlohmann::json& object,
                       Problems& problems);

}  // namespace reel::batch
