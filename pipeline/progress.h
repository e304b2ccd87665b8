// What a run tells about itself while it works; app/ turns it into a bar, lines or JSON events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace reel::pipeline {

/// What one denoising step did.
struct StepReport {
  int64_t step = 0;  ///< from 0
  int64_t num_steps = 0;
  double elapsed_ms = 0;
  bool dense = true;     ///< every attention call of the step
  double density = 1.0;  ///< mean share of blocks attended to
};

/// Watches a run. Every function does nothing unless overridden, and is called from the thread that
/// runs the pipeline; what it throws ends the run.
class Progress {
 public:
  Progress() = default;
  virtual ~Progress() = default;
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Clip number `clip` of `num_clips` starts, from 0.
  virtual void clip_started(size_t /*clip*/, size_t /*num_clips*/, uint64_t /*seed*/) {}

  /// A stage starts or has ended: "load transformer", "encode text", "denoise", "decode", ...
  virtual void stage_started(std::string_view /*stage*/) {}
  virtual void stage_finished(std::string_view /*stage*/, double /*elapsed_ms*/) {}

  /// Weights are on their way to the device.
  virtual void loaded(int64_t /*done_bytes*/, int64_t /*total_bytes*/) {}

  virtual void step_finished(const StepReport& /*report*/) {}

  /// Tiles that the VAE has decoded.
  virtual void tile_decoded(int64_t /*done_tiles*/, int64_t /*total_tiles*/) {}

  /// Frames that the encoder has taken.
  virtual void frames_encoded(int64_t /*done_frames*/, int64_t /*total_frames*/) {}

  /// One line that the user should see: a prompt that was cut, a default that was clamped.
  virtual void warn(const std::string& /*line*/) {}
};

}  // namespace reel::pipeline
