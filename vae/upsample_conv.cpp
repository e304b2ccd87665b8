#include "vae/upsample_conv.h"

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

UpsampleConv::UpsampleConv(weights::WeightStore& store, const std::string& stem, ScaleFactor factor)
    : factor_(factor), conv_(store, stem + ".conv") {}

at::Tensor UpsampleConv::forward(const at::Tensor& x) const {
  return conv_.forward(upsample_nearest(x, factor_));
}

}  // namespace reel::vae
