#include <nlohmann/json.hpp>

#include "app/progress_kinds.h"

namespace reel::app {

std::string event_line(const std::string& name, const nlohmann::ordered_json& fields) {
  nlohmann::ordered_json event = {{"format", 1}, {"event", name}};
  event.update(fields);
  return event.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void JsonProgress::clip_started(size_t clip, size_t num_clips, uint64_t seed) {
  pace_ = {};
  clip_ = clip;
  console_.result(event_line("job_start", {{"index", clip}, {"jobs", num_clips}, {"seed", seed}}));
}

void JsonProgress::stage_started(std::string_view stage) {
  stage_ = stage;
  tenths_ = {};
}

void JsonProgress::loaded(int64_t done_bytes, int64_t total_bytes) {
  if (!tenths_.passes(done_bytes, total_bytes)) return;
  console_.result(event_line(
      "load", {{"what", stage_}, {"done_bytes", done_bytes}, {"total_bytes", total_bytes}}));
}

void JsonProgress::step_finished(const pipeline::StepReport& report) {
  pace_.add(report);
  const auto rest = pace_.remaining_s();
  console_.result(event_line("step", {{"i", report.step + 1},
                                      {"n", report.num_steps},
                                      {"sec", report.elapsed_ms / 1000},
                                      {"eta", rest ? nlohmann::ordered_json(*rest) : nullptr},
                                      {"mode", report.dense ? "dense" : "sparse"},
                                      {"density", report.density}}));
}

void JsonProgress::tile_decoded(int64_t done_tiles, int64_t total_tiles) {
  console_.result(event_line("decode", {{"i", done_tiles}, {"n", total_tiles}}));
}

void JsonProgress::frames_encoded(int64_t done_frames, int64_t total_frames) {
  console_.result(event_line("encode", {{"i", done_frames}, {"n", total_frames}}));
}

void JsonProgress::clip_done(const std::string& output) {
  console_.result(event_line("job_done", {{"index", clip_}, {"output", output}}));
}

void JsonProgress::clip_failed(const std::string& message, int exit_code) {
  console_.result(
      event_line("job_failed", {{"index", clip_}, {"exit_code", exit_code}, {"error", message}}));
}

}  // namespace reel::app
