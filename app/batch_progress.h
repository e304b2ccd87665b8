// Progress of a batch: that of each clip, and beside it how far the list is and when it will end.
#pragma once

#include <optional>
#include <string>

#include "app/progress.h"
#include "batch/run_jobs.h"

namespace reel::app {

/// Shows clips with the progress that --progress asks for, and adds the list. All arguments must
/// outlive this. Without `tells_outputs` stdout is left to results of another kind.
class BatchProgress : public RunProgress, public batch::RunObserver {
 public:
  BatchProgress(const std::string& mode, const std::vector<batch::Job>& jobs,
                const batch::Shard& shard, Console& console, bool tells_outputs);

  // Of the list.
  void run_started(size_t num_jobs, size_t num_done) override;
  void job_started(const batch::Job& job) override;
  void job_done(const batch::Job& job, double seconds) override;
  void job_failed(const batch::Job& job, const batch::JobFailure& failure) override;
  void job_done_elsewhere(const batch::Job& job) override;
  void waiting(size_t num_jobs) override;

  /// The last line, or the event "batch_done".
  void run_ended(const batch::RunSummary& summary, const std::string& report);

  // Of the clip.
  void clip_started(size_t clip, size_t num_clips, uint64_t seed) override;
  void stage_started(std::string_view stage) override;
  void stage_finished(std::string_view stage, double elapsed_ms) override;
  void loaded(int64_t done_bytes, int64_t total_bytes) override;
  void step_finished(const pipeline::StepReport& report) override;
  void tile_decoded(int64_t done_tiles, int64_t total_tiles) override;
  void frames_encoded(int64_t done_frames, int64_t total_frames) override;
  void warn(const std::string& line) override;
  void clip_done(const std::string& output) override;
  void clip_failed(const std::string& message, int exit_code) override;

 private:
  void left(const batch::Job& job);
  std::optional<double> remaining_s() const;
  void tell_totals();

  Console& console_;
  std::unique_ptr<RunProgress> clip_;
  bool json_;
  const batch::Job* job_ = nullptr;  // in the making
  size_t num_jobs_ = 0;
  size_t num_done_ = 0;
  size_t num_failed_ = 0;
  double work_left_ = 0;      // of jobs that are neither done nor failed
  double step_share_ = 0;     // of the job in the making that is done
  double seconds_ = 0;        // of the jobs that this process rendered
  double work_rendered_ = 0;  // of the same
  double step_seconds_ = 0;   // of the first job, before any is done
  double step_work_ = 0;
};

}  // namespace reel::app
