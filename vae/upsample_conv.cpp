#include "vae/upsample_conv.h"

#include "vae/causal_conv3d.h"

namespace reel::vae {

at::Tensor upsample_nearest(const at::Tensor& x, ScaleFactor factor) {
  const int64_t num_frames = x.size(2);
  const int64_t height = x.size(3) * factor.space;
  const int64_t width = x.size(4) * factor.space;
  const at::Tensor first = at::upsample_nearest3d(x.narrow(2, 0, 1), {1, height, width});
  if (num_frames == 1) return first;
  const at::Tensor others = at::upsample_nearest3d(x.narrow(2, 1, num_frames - 1),
                                                   {(num_frames - 1) * factor.time, height, width});
  return at::cat({first, others}, 2);
}

UpsampleConv::UpsampleConv(weights::WeightStore& store, const std::string& stem, ScaleFactor factor,
                           Backend backend)
    : factor_(factor),
      weight_(store.take_weight(stem + ".conv.conv")),
      bias_(store.take_bias(stem + ".conv.conv")) {
  if (backend == Backend::kBest && can_fuse(weight_)) {
    folded_.emplace(weight_, bias_, factor);
    weight_.reset();
    bias_.reset();
  }
}

at::Tensor UpsampleConv::forward(const at::Tensor& x) const {
  if (folded_) return folded_->forward(pad_columns(x));
  return at::conv3d(pad_causally(upsample_nearest(x, factor_)), weight_, bias_);
}

}  // namespace reel::vae
