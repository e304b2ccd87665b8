// Finds results that must never be reported as done. Letters: docs/SHAPES.md.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

namespace reel::media {

/// Watches the frames of one video chunk by chunk.
class FrameCheck {
 public:
  /// Takes values before their conversion, of any shape, float dtype and device. Throws OutputError
  /// if one is not finite. Waits for the device.
  void add_values(const at::Tensor& values);

  /// The same for somebody who has counted: `num_not_finite` of `num_values`.
  void add_count(int64_t num_not_finite, int64_t num_values);

  /// Takes the next pixels: [F, H, W, 3] uint8, CPU.
  void add_pixels(const at::Tensor& frames);

  /// Throws OutputError unless exactly `want_frames` frames came and not all of their pixels have
  /// one and the same colour.
  void finish(int64_t want_frames) const;

 private:
  int64_t num_frames_ = 0;
  bool is_flat_ = true;
  std::array<uint8_t, 3> colour_{};  // of the first pixel
};

}  // namespace reel::media
