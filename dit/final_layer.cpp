#include "dit/final_layer.h"

#include "dit/elementwise.h"

namespace reel::dit {

FinalLayer::FinalLayer(weights::WeightStore& store)
    : modulation_(store, "final_layer.adaLN_modulation.1"), linear_(store, "final_layer.linear") {}

at::Tensor FinalLayer::operator()(at::Tensor image, const at::Tensor& activated) const {
  const auto [shift, scale] = modulation_(activated);
  layer_norm_modulate(image, shift, scale, image);
  return linear_(image);
}

}  // namespace reel::dit
