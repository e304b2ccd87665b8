// Group normalisation, SiLU and a causal convolution: the step that nearly all of the VAE is made
// of. B batch, C channels, T h w the grid at this layer's resolution (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "vae/causal_conv3d.h"
#include "weights/weight_store.h"

namespace reel::vae {

/// conv(silu(group_norm(x))) with an optional addition. The statistics run over the channels of a
/// group, all frames, rows and columns of x: a tile is normalised by itself.
class NormSiluConv {
 public:
  /// Takes `norm_stem`.weight and .bias [C_in] and the tensors of CausalConv3d at `conv_stem`.
  NormSiluConv(weights::WeightStore& store, const std::string& norm_stem,
               const std::string& conv_stem, int64_t num_groups, Backend backend);

  /// x [B, C_in, T, h, w] -> [B, C_out, T, h, w], plus `residual` of that shape if it is defined.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& residual = {}) const;

  /// This and then `next`, whose `residual` is added: what stands between them may be shared.
  at::Tensor forward_into(const NormSiluConv& next, const at::Tensor& x,
                          const at::Tensor& residual) const;

 private:
  bool on_gpu() const;

  at::Tensor norm_weight_;
  at::Tensor norm_bias_;
  int64_t num_groups_;
  CausalConv3d conv_;
};

}  // namespace reel::vae
