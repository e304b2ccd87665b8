#include "vae/causal_conv3d.h"

namespace reel::vae {

at::Tensor pad_causally(const at::Tensor& x) {
  return at::replication_pad3d(x, {1, 1, 1, 1, 2, 0});
}

CausalConv3d::CausalConv3d(weights::WeightStore& store, const std::string& stem, ScaleFactor stride,
                           Backend backend)
    : weight_(store.take_weight(stem + ".conv")),
      bias_(store.take_bias(stem + ".conv")),
      stride_(stride) {
  if (backend == Backend::kBest && can_fuse(weight_)) {
    packed_.emplace(weight_, bias_);
    weight_.reset();
    bias_.reset();
  }
}

at::Tensor CausalConv3d::forward(const at::Tensor& x) const {
  if (fused()) return forward_columns(pad_columns(x), {});
  return at::conv3d(pad_causally(x), weight_, bias_, {stride_.time, stride_.space, stride_.space});
}

at::Tensor CausalConv3d::forward_columns(const at::Tensor& columns,
                                         const at::Tensor& residual) const {
  return convolve_causally(columns, *packed_, stride_, residual);
}

}  // namespace reel::vae
