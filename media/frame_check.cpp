#include "media/frame_check.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::media {

void FrameCheck::add_values(const at::Tensor& values) {
  add_count(values.numel() - values.isfinite().sum().item<int64_t>(), values.numel());
}

void FrameCheck::add_count(int64_t num_not_finite, int64_t num_values) {
  if (num_not_finite == 0) return;
  fail<OutputError>("frames: values are not finite: got ", num_not_finite, " of ", num_values,
                    ", after ", num_frames_, " good frames");
}

void FrameCheck::add_pixels(const at::Tensor& frames) {
  check_tensor("FrameCheck::add_pixels", frames, "frames",
               {{'F', kAny}, {'H', kAny}, {'W', kAny}, {'3', 3}}, at::kByte);
  const at::Tensor pixels = frames.contiguous();
  const auto* data = pixels.const_data_ptr<uint8_t>();
  const int64_t num_bytes = pixels.numel();
  if (num_frames_ == 0 && num_bytes > 0) std::copy_n(data, 3, colour_.begin());
  for (int64_t i = 0; is_flat_ && i < num_bytes; i += 3) {
    is_flat_ = std::equal(colour_.begin(), colour_.end(), data + i);
  }
  num_frames_ += frames.size(0);
}

void FrameCheck::finish(int64_t want_frames) const {
  if (num_frames_ != want_frames) {
    fail<OutputError>("frames: the video is truncated: got ", num_frames_, " frames, want ",
                      want_frames);
  }
  if (is_flat_) {
    fail<OutputError>("frames: every pixel has the same colour: got ", int{colour_[0]}, " ",
                      int{colour_[1]}, " ", int{colour_[2]});
  }
}

}  // namespace reel::media
