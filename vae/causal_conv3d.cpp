#include "vae/causal_conv3d.h"

namespace reel::vae {

at::Tensor pad_causally(const at::Tensor& x) {
  return at::replication_pad3d(x, {1, 1, 1, 1, 2, 0});
}

CausalConv3d::CausalConv3d(weights::WeightStore& store, const std::string& stem, ScaleFactor stride)
    : weight_(store.take_weight(stem + ".conv")),
      bias_(store.take_bias(stem + ".conv")),
      stride_(stride) {}

at::Tensor CausalConv3d::forward(const at::Tensor& x) const {
  return at::conv3d(pad_causally(x), weight_, bias_, {stride_.time, stride_.space, stride_.space});
}

}  // namespace reel::vae
