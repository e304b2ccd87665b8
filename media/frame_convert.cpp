#include "media/frame_convert.h"

#include <ATen/ATen.h>

#include "core/tensor_check.h"

namespace reel::media {

at::Tensor to_pixels(const at::Tensor& frames, Rounding rounding) {
  check_tensor("to_pixels", frames, "frames",
               {{'B', 1}, {'3', 3}, {'F', kAny}, {'H', kAny}, {'W', kAny}});
  at::Tensor scaled = frames[0].to(at::kFloat).mul(0.5).add_(0.5).clamp_(0, 1).mul_(255);
  if (rounding == Rounding::kNearest) scaled.round_();
  scaled.nan_to_num_(0);  // converting NaN to an integer is undefined
  return scaled.permute({1, 2, 3, 0}).to(at::kByte).contiguous().cpu();
}

}  // namespace reel::media
