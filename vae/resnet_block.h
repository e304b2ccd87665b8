// Residual block of the VAE.
// B batch, C channels, T h w the grid at this layer's resolution (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "vae/norm_silu_conv.h"
#include "weights/weight_store.h"

namespace reel::vae {

/// Two NormSiluConv steps and the input added behind them, through a 1 x 1 x 1 convolution where
/// the number of channels changes.
class ResnetBlock {
 public:
  /// Takes `stem`.{norm1, conv1, norm2, conv2}.* and, if `changes_width`, `stem`.conv_shortcut.*.
  ResnetBlock(weights::WeightStore& store, const std::string& stem, int64_t num_groups,
              bool changes_width, Backend backend);

  /// x [B, C_in, T, h, w] -> [B, C_out, T, h, w].
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor shortcut(const at::Tensor& x) const;

  NormSiluConv first_;
  NormSiluConv second_;
  at::Tensor shortcut_weight_;  // [C_out, C_in, 1, 1, 1], undefined where the width stays
  at::Tensor shortcut_bias_;    // [C_out]
  std::optional<PackedConv> packed_shortcut_;
  bool on_gpu_ = false;  // the shortcut, if there is one
};

}  // namespace reel::vae
