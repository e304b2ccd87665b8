// What the VAE does at latent resolution: residual block, attention, residual block.
// B batch, C channels, T h w the latent grid (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "vae/config.h"
#include "vae/frame_attention.h"
#include "vae/resnet_block.h"
#include "weights/weight_store.h"

namespace reel::vae {

class MidBlock {
 public:
  /// Takes `stem`.resnets.{0, 1}.* and, if the config has it, `stem`.attentions.0.*.
  MidBlock(weights::WeightStore& store, const std::string& stem, const Config& config,
           Backend backend);

  /// x [B, C, T, h, w] -> the same shape.
  at::Tensor forward(const at::Tensor& x) const;

 private:
  ResnetBlock first_;
  std::optional<FrameAttention> attention_;
  ResnetBlock second_;
};

}  // namespace reel::vae
