#include "pipeline/callback_progress.h"

namespace reel::pipeline {

void CallbackProgress::stage_started(std::string_view stage) {
  stage_ = stage;
  tell({.stage = stage_, .done = 0, .total = 0, .warning = {}});
}

void CallbackProgress::loaded(int64_t done_bytes, int64_t total_bytes) {
  tell({.stage = stage_, .done = done_bytes, .total = total_bytes, .warning = {}});
}

void CallbackProgress::step_finished(const StepReport& report) {
  tell({.stage = stage_, .done = report.step + 1, .total = report.num_steps, .warning = {}});
}

void CallbackProgress::tile_decoded(int64_t done_tiles, int64_t total_tiles) {
  tell({.stage = stage_, .done = done_tiles, .total = total_tiles, .warning = {}});
}

void CallbackProgress::frames_encoded(int64_t done_frames, int64_t total_frames) {
  tell({.stage = "write frames", .done = done_frames, .total = total_frames, .warning = {}});
}

void CallbackProgress::warn(const std::string& line) {
  tell({.stage = stage_, .done = 0, .total = 0, .warning = line});
}

void CallbackProgress::tell(const RenderProgress& progress) const {
  if (!callback_ || callback_(progress)) return;
  throw Cancelled("cancelled");
}

}  // namespace reel::pipeline
