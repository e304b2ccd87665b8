// One clip of a batch: a value that is complete before anything is loaded.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "media/encoder_plan.h"
#include "pipeline/generation_request.h"
#include "pipeline/run_report.h"

namespace reel::batch {

struct Job {
  size_t index = 0;                     ///< in the whole list, from 0
  std::string where;                    ///< "jobs.jsonl:12"
  std::string id;                       ///< of its line
  std::string prompt;                   ///< of its line; request.prompt is the text that is encoded
  nlohmann::json tags;                  ///< of its line; null: none
  std::string video;                    ///< file name in the run folder's videos/
  std::string hash;                     ///< job_hash()
  pipeline::GenerationRequest request;  ///< of one seed
  media::EncoderPlan encoder;

  /// What metadata keeps under "job": {id, index, hash, prompt if it was rewritten, tags}.
  nlohmann::json to_json() const;
};

/// SHA-256 over all that changes the pixels of the job's video, as canonical JSON: the request with
/// its seed, `schedule_hash` (AttentionSchedule::hash()), the tiles, sizes and header sums of the
/// weights, `tokenizers_sha256`, kind of device, number formats and encoder. Names, tags, threads
/// and the program's version are not part of it.
std::string job_hash(const pipeline::GenerationRequest& request, const std::string& schedule_hash,
                     const pipeline::RunIdentity& identity, const std::string& tokenizers_sha256,
                     const media::EncoderPlan& encoder);

/// A part of a list that one process works on: jobs number `index`, `index` + `count`, ...
struct Shard {
  int64_t index = 0;  ///< from 0
  int64_t count = 1;

  bool has(const Job& job) const { return static_cast<int64_t>(job.index) % count == index; }
};

/// Reads "i/n", i from 1 to n. Adds a problem, named --shard, if `text` is no such thing.
Shard parse_shard(const std::string& text, Problems& problems);

}  // namespace reel::batch
