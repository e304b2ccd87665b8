#include <fmt/format.h>

#include "app/progress_kinds.h"

namespace reel::app {
namespace {

constexpr int64_t kBarWidth = 24;

}  // namespace

void BarProgress::clip_started(size_t clip, size_t num_clips, uint64_t seed) {
  pace_ = {};
  if (num_clips > 1) {
    console_.info(fmt::format("clip {} of {}, seed {}", clip + 1, num_clips, seed));
  }
}

void BarProgress::stage_started(std::string_view stage) {
  stage_ = stage;
  tiles_.clear();
  draw(0, 1, "");
}

void BarProgress::stage_finished(std::string_view stage, double elapsed_ms) {
  console_.info(fmt::format("{:<20} {}", stage, elapsed_text(elapsed_ms)));
}

void BarProgress::loaded(int64_t done_bytes, int64_t total_bytes) {
  draw(done_bytes, total_bytes,
       fmt::format("{} of {}", bytes_text(static_cast<double>(done_bytes)),
                   bytes_text(static_cast<double>(total_bytes))));
}

void BarProgress::step_finished(const pipeline::StepReport& report) {
  pace_.add(report);
  draw(report.step + 1, report.num_steps,
       fmt::format("{}/{}  {}", report.step + 1, report.num_steps, step_line(report, pace_)));
}

void BarProgress::tile_decoded(int64_t done_tiles, int64_t total_tiles) {
  tiles_ = fmt::format("tile {}/{}", done_tiles, total_tiles);
  draw(done_tiles, total_tiles, tiles_);
}

void BarProgress::frames_encoded(int64_t done_frames, int64_t total_frames) {
  draw(done_frames, total_frames,
       fmt::format("{}  frame {}/{}", tiles_, done_frames, total_frames));
}

void BarProgress::draw(int64_t done, int64_t total, const std::string& text) {
  const auto filled = static_cast<size_t>(total > 0 ? done * kBarWidth / total : 0);
  const std::string bar = std::string(filled, '#') + std::string(kBarWidth - filled, '.');
  console_.draw_bar(fmt::format("{:<20} [{}] {}", stage_, bar, text));
}

}  // namespace reel::app
