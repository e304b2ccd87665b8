#include <fmt/format.h>

#include "app/progress_kinds.h"

namespace reel::app {
namespace {

constexpr double kSlowLoadMs = 3000;  // loading that takes less is told by its end alone

}  // namespace

std::string step_line(const pipeline::StepReport& report, const StepPace& pace) {
  std::string line = fmt::format("{:.2f} s a step, {}, density {:.2f}", pace.seconds_per_step(),
                                 report.dense ? "dense" : "sparse", report.density);
  if (const auto rest = pace.remaining_s()) line += ", ETA " + duration_text(*rest);
  return line;
}

bool TenthCounter::passes(int64_t done, int64_t total) {
  const int64_t tenth = total > 0 ? done * 10 / total : 10;
  if (tenth <= last_tenth_) return false;
  last_tenth_ = tenth;
  return true;
}

void PlainProgress::clip_started(size_t clip, size_t num_clips, uint64_t seed) {
  pace_ = {};
  if (num_clips > 1) {
    console_.info(fmt::format("clip {} of {}, seed {}", clip + 1, num_clips, seed));
  } else {
    console_.detail(fmt::format("seed {}", seed));
  }
}

void PlainProgress::stage_started(std::string_view stage) {
  stage_ = stage;
  tenths_ = {};
  since_start_.restart();
  console_.detail(stage_ + " ...");
}

void PlainProgress::stage_finished(std::string_view stage, double elapsed_ms) {
  console_.info(fmt::format("{}: {}", stage, elapsed_text(elapsed_ms)));
}

void PlainProgress::loaded(int64_t done_bytes, int64_t total_bytes) {
  if (since_start_.elapsed_ms() < kSlowLoadMs || done_bytes == total_bytes) return;
  if (!tenths_.passes(done_bytes, total_bytes)) return;
  console_.info(fmt::format("{}: {} of {}", stage_, bytes_text(static_cast<double>(done_bytes)),
                            bytes_text(static_cast<double>(total_bytes))));
}

void PlainProgress::step_finished(const pipeline::StepReport& report) {
  pace_.add(report);
  const int64_t done = report.step + 1;
  const std::string line =
      fmt::format("step {} of {}: {}", done, report.num_steps, step_line(report, pace_));
  if (tenths_.passes(done, report.num_steps)) {
    console_.info(line);
  } else {
    console_.detail(line);
  }
}

void PlainProgress::tile_decoded(int64_t done_tiles, int64_t total_tiles) {
  if (total_tiles < 2 || !tenths_.passes(done_tiles, total_tiles)) return;
  console_.info(fmt::format("decode: tile {} of {}", done_tiles, total_tiles));
}

}  // namespace reel::app
