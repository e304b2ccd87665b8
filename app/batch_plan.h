// Everything that `batch` decides before it loads anything.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/parsed_flags.h"
#include "batch/job.h"
#include "batch/job_line.h"
#include "batch/run_folder.h"
#include "batch/run_jobs.h"
#include "pipeline/compute_choice.h"
#include "weights/model_folder.h"

namespace reel::app {

struct BatchPlan {
  weights::ModelFolder model;
  pipeline::ComputeChoice compute;
  std::string tokenizers_sha256;
  batch::RunFolder folder;
  std::string date;              ///< of {date} in names
  std::vector<batch::Job> jobs;  ///< of all shards
  batch::RunOptions options;
  bool save_latents = false;
  int64_t checkpoint_every = 0;    ///< steps; 0: a state only when asked to stop
  std::vector<std::string> notes;  ///< for the user, each once
};

/// Reads the job file and checks flags, lines, model folder and names together. Throws ConfigError
/// with all problems of all lines; only if there is none, the WeightError of the model folder.
BatchPlan plan_batch(const ParsedFlags& flags);

/// Makes the lines of a batch; adds what is wrong with them to the problems.
using LineReader = std::function<std::vector<batch::JobLine>(Problems&)>;

/// The same for lines that `read` makes.
BatchPlan plan_batch(const ParsedFlags& flags, const LineReader& read);

/// What --dry-run prints: totals, the jobs with their state, and how long they will take, measured
/// by the video or sidecar `measured`, else by finished ones in the run folder. Throws ConfigError
/// if `measured` holds no times.
std::string batch_plan_text(const BatchPlan& plan, const std::optional<std::string>& measured);

}  // namespace reel::app
