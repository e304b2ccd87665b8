// From the VAE's numbers to 8-bit pixels. Letters: docs/SHAPES.md.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

namespace c10 {
struct Event;
}

namespace reel::media {

/// How a value between two 8-bit steps becomes one: kNearest (ties to even, as diffusers' pictures)
/// or kTruncate (as the official program and diffusers' video export).
enum class Rounding { kNearest, kTruncate };

/// Turns `frames` [1, 3, F, H, W] of any float dtype with values in about [-1, 1] into
/// [F, H, W, 3] uint8 RGB on the CPU: clamp(x / 2 + 1/2, 0, 1) * 255 in fp32, then rounded. Waits
/// for the device. Values that are not finite become any colour: FrameCheck finds them.
at::Tensor to_pixels(const at::Tensor& frames, Rounding rounding);

/// Pixels that are on their way from their device.
class ComingPixels {
 public:
  /// Starts what to_pixels() does and returns without waiting for a GPU. Its copy to pinned memory
  /// lies in the order of the current stream, so that `frames` may go at once.
  ComingPixels(const at::Tensor& frames, Rounding rounding);

  /// Waits for the device, in any thread.
  void wait() const;

  /// [F, H, W, 3] uint8 RGB, CPU, contiguous. Read after wait().
  const at::Tensor& pixels() const { return pixels_; }

  /// How many of the frames' values were not finite, and how many there were. Read after wait().
  int64_t num_not_finite() const;
  int64_t num_values() const { return num_values_; }

 private:
  int64_t num_values_;
  at::Tensor pixels_;
  at::Tensor num_not_finite_;            // int64 []
  std::shared_ptr<c10::Event> arrived_;  // null on a CPU
};

}  // namespace reel::media
