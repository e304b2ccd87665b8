// A run's progress as calls of one function.
#pragma once

#include <string>

#include "pipeline/progress.h"
#include "pipeline/text_to_video.h"

namespace reel::pipeline {

/// Passes on what a run tells; throws Cancelled where the callback returns false.
class CallbackProgress : public Progress {
 public:
  /// From here on; an empty callback is never called.
  void set_callback(ProgressCallback callback) {
    callback_ = std::move(callback);
    stage_.clear();
  }

  void stage_started(std::string_view stage) override;
  void loaded(int64_t done_bytes, int64_t total_bytes) override;
  void step_finished(const StepReport& report) override;
  void tile_decoded(int64_t done_tiles, int64_t total_tiles) override;
  void frames_encoded(int64_t done_frames, int64_t total_frames) override;
  void warn(const std::string& line) override;

 private:
  void tell(const RenderProgress& progress) const;

  ProgressCallback callback_;
  std::string stage_;
};

}  // namespace reel::pipeline
