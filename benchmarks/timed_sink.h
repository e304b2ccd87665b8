// Where decoded frames go when it is measured how long that takes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>

#include "core/stopwatch.h"
#include "media/frame_sink.h"

namespace reel::benchmarks {

/// Counts frames, and the time that passing them on takes.
class TimedSink : public media::FrameSink {
 public:
  /// `next` takes the frames and must outlive this; null: nobody does. `other_pictures`
  /// [F, H, W, 3] uint8 take the frames' place unless they are undefined.
  TimedSink(media::FrameSink* next, at::Tensor other_pictures)
      : next_(next), other_pictures_(std::move(other_pictures)) {}

  void write(const at::Tensor& frames) override {
    const Stopwatch watch;
    const int64_t first = num_frames_;
    num_frames_ += frames.size(0);
    if (next_ == nullptr) return;
    next_->write(other_pictures_.defined() ? other_pictures_.slice(0, first, num_frames_) : frames);
    busy_ms_ += watch.elapsed_ms();
  }

  void finish() override {
    const Stopwatch watch;
    if (next_ != nullptr) next_->finish();
    busy_ms_ += watch.elapsed_ms();
  }

  int64_t num_frames() const { return num_frames_; }
  double busy_seconds() const { return busy_ms_ * 1e-3; }

 private:
  media::FrameSink* next_;
  at::Tensor other_pictures_;
  int64_t num_frames_ = 0;
  double busy_ms_ = 0;
};

}  // namespace reel::benchmarks
