// Token refiner: a small transformer over the text tokens alone, before they meet the image.
// Shape letters (docs/SHAPES.md): L text tokens, M model width.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "dit/conditioning.h"
#include "dit/config.h"
#include "dit/linear.h"
#include "dit/modulation.h"

namespace reel::dit {

class TokenRefiner {
 public:
  TokenRefiner(const Config& config, weights::WeightStore& store);

  /// `text_states` [L, D_text], valid tokens only and at least one, of any float dtype; `timestep`
  /// [1] fp32 in 0..1000. Returns [L, M] in the weights' dtype (spec/hunyuanvideo.md 1.5).
  at::Tensor operator()(const at::Tensor& text_states, const at::Tensor& timestep) const;

  /// The refiner's own conditioning vector [1, M]: timestep plus the mean of the text states.
  at::Tensor conditioning(const at::Tensor& text_states, const at::Tensor& timestep) const;

 private:
  struct Block {
    Block(const Config& config, weights::WeightStore& store, const std::string& prefix);

    // Updates `text` [L, M] in place; `activated` [1, M] is silu(conditioning).
    void forward(at::Tensor text, const at::Tensor& activated) const;

    int64_t num_heads;
    at::Tensor norm1_weight, norm1_bias;  // [M]
    at::Tensor norm2_weight, norm2_bias;  // [M]
    Linear qkv;
    Linear proj;
    Linear fc1;
    Linear fc2;
    Modulation<2> gates;
  };

  Linear input_;
  EmbeddingMlp time_;
  EmbeddingMlp context_;
  std::vector<Block> blocks_;
};

}  // namespace reel::dit
