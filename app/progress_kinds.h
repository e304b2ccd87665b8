// The kinds of progress; make_progress() picks one.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "app/progress.h"
#include "app/step_pace.h"
#include "core/stopwatch.h"

namespace reel::app {

/// "1.24 s a step, sparse, density 0.31, ETA 0:47".
std::string step_line(const pipeline::StepReport& report, const StepPace& pace);

/// {"format":1, "event":name, ...} on one line. Keys keep their order, so that people can read it.
std::string event_line(const std::string& name, const nlohmann::ordered_json& fields);

/// Lets through at most one report per 10 %.
class TenthCounter {
 public:
  bool passes(int64_t done, int64_t total);

 private:
  int64_t last_tenth_ = 0;
};

/// Warnings alone.
class NoProgress : public RunProgress {
 public:
  NoProgress(Console& console, bool tells_outputs)
      : console_(console), tells_outputs_(tells_outputs) {}
  void clip_done(const std::string& output) override {
    if (tells_outputs_) console_.result(output);
  }
  void clip_failed(const std::string& /*message*/, int /*exit_code*/) override {}
  void warn(const std::string& line) override { console_.warn(line); }

 protected:
  Console& console_;

 private:
  bool tells_outputs_;
};

/// One line a stage, and one per 10 % of its work.
class PlainProgress : public NoProgress {
 public:
  using NoProgress::NoProgress;
  void clip_started(size_t clip, size_t num_clips, uint64_t seed) override;
  void stage_started(std::string_view stage) override;
  void stage_finished(std::string_view stage, double elapsed_ms) override;
  void loaded(int64_t done_bytes, int64_t total_bytes) override;
  void step_finished(const pipeline::StepReport& report) override;
  void tile_decoded(int64_t done_tiles, int64_t total_tiles) override;

 private:
  std::string stage_;
  TenthCounter tenths_;
  Stopwatch since_start_;  // of the stage
  StepPace pace_;
};

/// One line that is drawn over and over; stages that are done stay above it.
class BarProgress : public NoProgress {
 public:
  using NoProgress::NoProgress;
  void clip_started(size_t clip, size_t num_clips, uint64_t seed) override;
  void stage_started(std::string_view stage) override;
  void stage_finished(std::string_view stage, double elapsed_ms) override;
  void loaded(int64_t done_bytes, int64_t total_bytes) override;
  void step_finished(const pipeline::StepReport& report) override;
  void tile_decoded(int64_t done_tiles, int64_t total_tiles) override;
  void frames_encoded(int64_t done_frames, int64_t total_frames) override;

 private:
  void draw(int64_t done, int64_t total, const std::string& text);

  std::string stage_;
  std::string tiles_;
  StepPace pace_;
};

/// One JSON object a line on stdout: {"format":1,"event":"step",...}.
class JsonProgress : public RunProgress {
 public:
  explicit JsonProgress(Console& console) : console_(console) {}
  void clip_started(size_t clip, size_t num_clips, uint64_t seed) override;
  void step_finished(const pipeline::StepReport& report) override;
  void tile_decoded(int64_t done_tiles, int64_t total_tiles) override;
  void frames_encoded(int64_t done_frames, int64_t total_frames) override;
  void stage_started(std::string_view stage) override;
  void loaded(int64_t done_bytes, int64_t total_bytes) override;
  void warn(const std::string& line) override { console_.warn(line); }
  void clip_done(const std::string& output) override;
  void clip_failed(const std::string& message, int exit_code) override;

 private:
  Console& console_;
  std::string stage_;
  TenthCounter tenths_;
  StepPace pace_;
  size_t clip_ = 0;
};

}  // namespace reel::app
