#include "app/batch_progress.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/progress_kinds.h"
#include "batch/estimate.h"
#include "core/printable.h"

namespace reel::app {

BatchProgress::BatchProgress(const std::string& mode, const std::vector<batch::Job>& jobs,
                             const batch::Shard& shard, Console& console, bool tells_outputs)
    : console_(console), clip_(make_progress(mode, console, tells_outputs)), json_(mode == "json") {
  for (const auto& job : jobs) {
    if (shard.has(job)) work_left_ += batch::work_of(job.request);
  }
}

void BatchProgress::run_started(size_t num_jobs, size_t num_done) {
  num_jobs_ = num_jobs;
  num_done_ = num_done;
  // Which ones are done makes little difference: lists hold clips of like sizes.
  if (num_jobs > 0) {
    work_left_ *= static_cast<double>(num_jobs - num_done) / static_cast<double>(num_jobs);
  }
  console_.info(fmt::format("{} jobs, {} done already", num_jobs, num_done));
}

void BatchProgress::job_started(const batch::Job& job) {
  job_ = &job;
  step_share_ = 0;
  const auto eta = remaining_s();
  console_.info(fmt::format("job {} of {}: {}{}", num_done_ + num_failed_ + 1, num_jobs_,
                            printable(job.video), eta ? ", ETA " + duration_text(*eta) : ""));
}

void BatchProgress::left(const batch::Job& job) {
  work_left_ = std::max(0.0, work_left_ - batch::work_of(job.request));
  step_share_ = 0;
  job_ = nullptr;
}

void BatchProgress::job_done(const batch::Job& job, double seconds) {
  left(job);
  ++num_done_;
  seconds_ += seconds;
  work_rendered_ += batch::work_of(job.request);
  tell_totals();
}

void BatchProgress::job_failed(const batch::Job& job, const batch::JobFailure& failure) {
  left(job);
  ++num_failed_;
  console_.error(fmt::format("{}: {}", printable(job.video), failure.message));
  tell_totals();
}

void BatchProgress::job_done_elsewhere(const batch::Job& job) {
  left(job);
  ++num_done_;
  tell_totals();
}

void BatchProgress::waiting(size_t num_jobs) {
  console_.info(fmt::format("waiting for {} jobs that other processes render", num_jobs));
}

std::optional<double> BatchProgress::remaining_s() const {
  const double here = job_ == nullptr ? 0 : batch::work_of(job_->request) * step_share_;
  const double work = std::max(0.0, work_left_ - here);
  if (work_rendered_ > 0) return work * seconds_ / work_rendered_;
  if (step_work_ > 0) return work * step_seconds_ / step_work_;
  return std::nullopt;
}

void BatchProgress::tell_totals() {
  if (!json_) return;
  const auto eta = remaining_s();
  console_.result(event_line("batch", {{"done", num_done_},
                                       {"failed", num_failed_},
                                       {"jobs", num_jobs_},
                                       {"eta", eta ? nlohmann::ordered_json(*eta) : nullptr}}));
}

void BatchProgress::run_ended(const batch::RunSummary& summary, const std::string& report) {
  const size_t done = summary.num_done_before + summary.num_rendered + summary.num_done_elsewhere;
  if (json_) {
    console_.result(event_line("batch_done", {{"jobs", summary.num_jobs},
                                              {"done", done},
                                              {"rendered", summary.num_rendered},
                                              {"failed", summary.num_failed},
                                              {"left", summary.num_left},
                                              {"report", report}}));
  }
  std::string line = fmt::format("{} of {} jobs done, {} rendered now", done, summary.num_jobs,
                                 summary.num_rendered);
  if (summary.num_failed > 0) line += fmt::format(", {} failed", summary.num_failed);
  if (summary.num_left > 0) line += fmt::format(", {} left", summary.num_left);
  console_.info(line + "; see " + report);
}

void BatchProgress::clip_started(size_t /*clip*/, size_t /*num_clips*/, uint64_t seed) {
  if (json_ && job_ != nullptr) {
    clip_->clip_started(job_->index, num_jobs_, seed);
  } else {
    clip_->clip_started(0, 1, seed);
  }
}

void BatchProgress::step_finished(const pipeline::StepReport& report) {
  if (job_ != nullptr) {
    step_share_ = static_cast<double>(report.step + 1) / static_cast<double>(report.num_steps);
    step_seconds_ += report.elapsed_ms / 1000;
    step_work_ += batch::work_of(job_->request) / static_cast<double>(report.num_steps);
  }
  clip_->step_finished(report);
}

void BatchProgress::stage_started(std::string_view stage) {
  clip_->stage_started(stage);
}

void BatchProgress::stage_finished(std::string_view stage, double elapsed_ms) {
  clip_->stage_finished(stage, elapsed_ms);
}

void BatchProgress::loaded(int64_t done_bytes, int64_t total_bytes) {
  clip_->loaded(done_bytes, total_bytes);
}

void BatchProgress::tile_decoded(int64_t done_tiles, int64_t total_tiles) {
  clip_->tile_decoded(done_tiles, total_tiles);
}

void BatchProgress::frames_encoded(int64_t done_frames, int64_t total_frames) {
  clip_->frames_encoded(done_frames, total_frames);
}

void BatchProgress::warn(const std::string& line) {
  clip_->warn(line);
}

void BatchProgress::clip_done(const std::string& output) {
  clip_->clip_done(output);
}

void BatchProgress::clip_failed(const std::string& message, int exit_code) {
  clip_->clip_failed(message, exit_code);
}

}  // namespace reel::app
