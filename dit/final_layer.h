// Final layer: the last image tokens become patches of the velocity.
// Shape letters (docs/SHAPES.md): N image tokens, C channels, M model width.
#pragma once

#include <ATen/core/Tensor.h>

#include "dit/linear.h"
#include "dit/modulation.h"

namespace reel::dit {

class FinalLayer {
 public:
  explicit FinalLayer(weights::WeightStore& store);

  /// `image` [N, M] is overwritten. `activated` [1, M] is silu of the conditioning vector. Returns
  /// patches [N, C * pt * p * p] (spec/hunyuanvideo.md 1.8).
  at::Tensor operator()(at::Tensor image, const at::Tensor& activated) const;

 private:
  Modulation<2> modulation_;  // shift, scale: the official order
  Linear linear_;
};

}  // namespace reel::dit
