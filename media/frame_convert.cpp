#include "media/frame_convert.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "core/tensor_check.h"

namespace reel::media {
namespace {

// to_pixels() on the frames' device.
at::Tensor pixels_on_device(const at::Tensor& frames, Rounding rounding) {
  check_tensor("to_pixels", frames, "frames",
               {{'B', 1}, {'3', 3}, {'F', kAny}, {'H', kAny}, {'W', kAny}});
  at::Tensor scaled = frames[0].to(at::kFloat).mul(0.5).add_(0.5).clamp_(0, 1).mul_(255);
  if (rounding == Rounding::kNearest) scaled.round_();
  scaled.nan_to_num_(0);  // converting NaN to an integer is undefined
  return scaled.permute({1, 2, 3, 0}).to(at::kByte).contiguous();
}

// A copy that a GPU will have made when it reaches this point of its current stream.
at::Tensor start_copy_to_cpu(const at::Tensor& x) {
  if (x.is_cpu()) return x;
  at::Tensor copy = at::empty(x.sizes(), x.options().device(at::kCPU).pinned_memory(true));
  return copy.copy_(x, /*non_blocking=*/true);
}

}  // namespace

at::Tensor to_pixels(const at::Tensor& frames, Rounding rounding) {
  return pixels_on_device(frames, rounding).cpu();
}

ComingPixels::ComingPixels(const at::Tensor& frames, Rounding rounding)
    : num_values_(frames.numel()),
      pixels_(start_copy_to_cpu(pixels_on_device(frames, rounding))),
      num_not_finite_(start_copy_to_cpu(frames.isfinite().logical_not_().sum())) {
  if (frames.is_cpu()) return;
  const c10::impl::VirtualGuardImpl device(frames.device().type());
  arrived_ = std::make_shared<c10::Event>(frames.device().type());
  arrived_->record(device.getStream(frames.device()));
}

void ComingPixels::wait() const {
  if (arrived_) arrived_->synchronize();
}

int64_t ComingPixels::num_not_finite() const {
  return *num_not_finite_.const_data_ptr<int64_t>();
}

}  // namespace reel::media
