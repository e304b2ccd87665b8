// Where decoded frames go. Letters: docs/SHAPES.md.
#pragma once

#include <ATen/core/Tensor.h>

namespace reel::media {

/// Takes the frames of one video in order. Nothing is to be seen of the result before finish(), and
/// destroying a sink without finish() leaves nothing behind.
class FrameSink {
 public:
  FrameSink() = default;
  virtual ~FrameSink() = default;
  FrameSink(const FrameSink&) = delete;
  FrameSink& operator=(const FrameSink&) = delete;

  /// Takes the next `frames`: [F, H, W, 3] uint8 RGB, CPU, contiguous. Throws IoError if they
  /// cannot be written, ShapeError if they do not fit.
  virtual void write(const at::Tensor& frames) = 0;

  /// Completes the result under its name. Called once, last. Throws IoError; OutputError if no
  /// frame came.
  virtual void finish() = 0;
};

}  // namespace reel::media
