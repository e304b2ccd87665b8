// Works through a list of jobs in a run folder: skips what is done, takes each job for itself,
// renders it, and records what happened. Knows nothing about models.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "batch/job.h"
#include "batch/run_folder.h"
#include "pipeline/stop_request.h"

namespace reel::batch {

/// How a job ended that is not done.
struct JobFailure {
  int exit_code = 1;  ///< as if it had been the program's only clip
  std::string message;
  bool ends_run = false;  ///< the next job would fail in the same way: a full disk, a broken device
};

/// Renders single jobs: implemented by the program with the models, by tests without.
class JobRenderer {
 public:
  JobRenderer() = default;
  virtual ~JobRenderer() = default;
  JobRenderer(const JobRenderer&) = delete;
  JobRenderer& operator=(const JobRenderer&) = delete;

  /// Called once, before the first job, with all that are likely to be rendered.
  virtual void prepare(const std::vector<const Job*>& jobs) = 0;

  /// Writes the job's video, complete under its name, with job.to_json() in its metadata, which it
  /// returns in `metadata`. Throws Interrupted if it was asked to stop, and nothing else.
  virtual std::optional<JobFailure> render(const Job& job, nlohmann::json& metadata) = 0;
};

/// Is told how the run goes. Every function does nothing unless overridden.
class RunObserver {
 public:
  RunObserver() = default;
  virtual ~RunObserver() = default;
  RunObserver(const RunObserver&) = delete;
  RunObserver& operator=(const RunObserver&) = delete;

  virtual void run_started(size_t /*num_jobs*/, size_t /*num_done*/) {}
  virtual void job_started(const Job& /*job*/) {}
  virtual void job_done(const Job& /*job*/, double /*seconds*/) {}
  virtual void job_failed(const Job& /*job*/, const JobFailure& /*failure*/) {}

  /// Another process finished a job that this one would have rendered.
  virtual void job_done_elsewhere(const Job& /*job*/) {}

  /// All that is left is being rendered by other processes.
  virtual void waiting(size_t /*num_jobs*/) {}
};

struct RunOptions {
  bool overwrite = false;                    ///< renders what is done again
  bool keep_going = false;                   ///< goes on after a failure
  std::optional<int64_t> max_failures = {};  ///< stops at that many; goes on before
  Shard shard = {};
  bool keeps_latents = false;  ///< of finished jobs
};

/// What one process did. All numbers count jobs of its shard.
struct RunSummary {
  size_t num_jobs = 0;
  size_t num_done_before = 0;
  size_t num_rendered = 0;
  size_t num_done_elsewhere = 0;
  size_t num_failed = 0;
  size_t num_left = 0;  ///< neither done nor failed: the run ended before
  std::optional<JobFailure> last_failure;
  bool went_on = false;  ///< after a failure
};

/// Runs the jobs of the shard in their order; jobs that another process has taken come last, and
/// are waited for. A job that fails is not tried again. Appends events to the folder's log, and
/// writes its report at the end, whatever the end is. Throws Interrupted if `stop` asks for it,
/// IoError if the folder cannot be written, and what prepare() throws.
RunSummary run_jobs(const std::vector<Job>& jobs, const RunFolder& folder,
                    const RunOptions& options, JobRenderer& renderer, RunObserver& observer,
                    const pipeline::StopRequest& stop);

/// The state of the whole list as report.json keeps it: each job with its state (done, failed,
/// other, pending), how often it was started, finished and failed, its last error, and totals.
nlohmann::json make_report(const std::vector<Job>& jobs, const RunFolder& folder);

}  // namespace reel::batch
