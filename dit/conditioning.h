// The conditioning vector: what timestep, pooled text and guidance tell every block.
// Shape letters (docs/SHAPES.md): B batch, M model width.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "dit/config.h"
#include "dit/linear.h"

namespace reel::dit {

/// Two linear layers with SiLU between them.
class EmbeddingMlp {
 public:
  EmbeddingMlp(weights::WeightStore& store, const std::string& first, const std::string& second)
      : first_(store, first), second_(store, second) {}

  /// [B, in] of any float dtype to [B, M] in the weights' dtype.
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  Linear first_;
  Linear second_;
};

/// The sum of the embedded timestep, pooled text and, where the model has it, guidance
/// (spec/hunyuanvideo.md 1.3).
class Conditioning {
 public:
  Conditioning(const Config& config, weights::WeightStore& store);

  /// `timestep` [B] fp32 in 0..1000, `guidance` [B] fp32 times 1000 exactly when the model embeds
  /// it, `text_pooled` [B, D_clip]. Returns [B, M] in the weights' dtype.
  at::Tensor operator()(const at::Tensor& timestep, const std::optional<at::Tensor>& guidance,
                        const at::Tensor& text_pooled) const;

 private:
  EmbeddingMlp time_;
  EmbeddingMlp pooled_;
  std::optional<EmbeddingMlp> guidance_;
};

}  // namespace reel::dit
