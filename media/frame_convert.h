// From the VAE's numbers to 8-bit pixels. Letters: docs/SHAPES.md.
#pragma once

#include <ATen/core/Tensor.h>

namespace reel::media {

/// How a value between two 8-bit steps becomes one: kNearest (ties to even, as diffusers' pictures)
/// or kTruncate (as the official program and diffusers' video export).
enum class Rounding { kNearest, kTruncate };

/// Turns `frames` [1, 3, F, H, W] of any float dtype with values in about [-1, 1] into
/// [F, H, W, 3] uint8 RGB on the CPU: clamp(x / 2 + 1/2, 0, 1) * 255 in fp32, then rounded. Waits
/// for the device. Values that are not finite become any colour: FrameCheck finds them.
at::Tensor to_pixels(const at::Tensor& frames, Rounding rounding);

}  // namespace reel::media
