// A clip to encode where no model made one.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reel::benchmarks {

/// Frames that pan over a smooth picture with a little noise, about as hard to encode as a
/// generated clip: [F, H, W, 3] uint8.
at::Tensor panning_clip(int64_t frames, int64_t height, int64_t width);

}  // namespace reel::benchmarks
