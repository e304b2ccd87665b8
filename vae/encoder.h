// Frames to latents.
// B batch, C channels, T h w the latent grid, F H W frames and pixels (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "vae/causal_conv3d.h"
#include "vae/config.h"
#include "vae/mid_block.h"
#include "vae/norm_silu_conv.h"
#include "vae/resnet_block.h"
#include "weights/weight_store.h"

namespace reel::vae {

/// The distribution of the latents that a clip is encoded to; its mode is the mean.
struct Posterior {
  at::Tensor mean;    ///< [B, C, T, h, w] fp32, not yet times the scaling factor
  at::Tensor logvar;  ///< [B, C, T, h, w] fp32 in [-30, 20]
};

/// Splits what an encoder returns, [B, 2 C, T, h, w], and bounds the second half.
Posterior posterior_of(const at::Tensor& moments);

/// The causal 3D encoder and quant_conv, on the device and in the dtype of its weights. Whole clips
/// at once: TiledEncoder cuts what is too large.
class Encoder {
 public:
  /// Takes every tensor of encoder_table(config).
  Encoder(const Config& config, weights::WeightStore& store)
      : Encoder(config, store, Backend::kBest) {}

  /// The same, with a choice for tests.
  Encoder(const Config& config, weights::WeightStore& store, Backend backend);

  /// frames [B, 3, F, H, W] in [-1, 1] of any float dtype; F = 4 k + 1, H and W multiples of 8.
  /// Returns the moments [B, 2 C, T, h, w] fp32, contiguous: means, then unbounded log-variances.
  /// Throws ShapeError for other sizes.
  at::Tensor encode(const at::Tensor& frames) const;

  const Config& config() const { return config_; }
  at::Device device() const { return quant_weight_.device(); }

 private:
  struct DownBlock {
    std::vector<ResnetBlock> resnets;
    std::optional<CausalConv3d> downsampler;
  };

  Config config_;
  CausalConv3d conv_in_;
  std::vector<DownBlock> down_blocks_;
  MidBlock mid_block_;
  NormSiluConv out_;
  at::Tensor quant_weight_;  // [2 C, 2 C, 1, 1, 1]
  at::Tensor quant_bias_;    // [2 C]
};

}  // namespace reel::vae
