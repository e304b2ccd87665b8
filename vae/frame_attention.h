// The attention in the middle of the VAE: one head as wide as the layer, causal by frame.
// B batch, C channels, T h w the latent grid (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "weights/weight_store.h"

namespace reel::vae {

/// Tokens ordered (frame, row, column); a token of frame f sees all tokens of frames 0..f. The
/// frames run one after another, so that no mask over T h w tokens is ever made.
class FrameAttention {
 public:
  /// Takes `stem`.{group_norm, to_q, to_k, to_v, to_out.0}.*.
  FrameAttention(weights::WeightStore& store, const std::string& stem, int64_t num_groups);

  /// x [B, C, T, h, w] -> the same shape, x added.
  at::Tensor forward(const at::Tensor& x) const;

 private:
  struct Linear {
    Linear(weights::WeightStore& store, const std::string& stem);
    at::Tensor weight;  // [C, C]
    at::Tensor bias;    // [C]
  };

  at::Tensor norm_weight_;  // [C]
  at::Tensor norm_bias_;    // [C]
  int64_t num_groups_;
  Linear query_;
  Linear key_;
  Linear value_;
  Linear out_;
};

}  // namespace reel::vae
