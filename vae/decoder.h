// Latents to frames.
// B batch, C channels, T h w the latent grid, F H W frames and pixels (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "vae/config.h"
#include "vae/mid_block.h"
#include "vae/norm_silu_conv.h"
#include "vae/resnet_block.h"
#include "vae/upsample_conv.h"
#include "weights/weight_store.h"

namespace reel::vae {

/// Sees what a stage of the decoder or encoder made ("conv_in", "mid_block", "up_blocks.0", ...).
using StageObserver = std::function<void(std::string_view stage, const at::Tensor& value)>;

/// post_quant_conv and the causal 3D decoder, on the device and in the dtype of its weights. Whole
/// latents at once: TiledDecoder cuts what is too large.
class Decoder {
 public:
  /// Takes every tensor of decoder_table(config).
  Decoder(const Config& config, weights::WeightStore& store)
      : Decoder(config, store, Backend::kBest) {}

  /// The same, with a choice for tests.
  Decoder(const Config& config, weights::WeightStore& store, Backend backend);

  /// z [B, C, T, h, w], divided by the scaling factor already, of any float dtype -> [B, 3, F, H,
  /// W] fp32 in about [-1, 1], contiguous. Throws ShapeError if C is not the config's.
  at::Tensor decode(const at::Tensor& z) const { return decode(z, nullptr); }

  /// The same, showing every stage's [B, C', T', h', w'] to `observer` unless it is null.
  at::Tensor decode(const at::Tensor& z, const StageObserver& observer) const;

  const Config& config() const { return config_; }
  at::Device device() const { return post_quant_weight_.device(); }

 private:
  struct UpBlock {
    std::vector<ResnetBlock> resnets;
    std::optional<UpsampleConv> upsampler;
  };

  Config config_;
  at::Tensor post_quant_weight_;  // [C, C, 1, 1, 1]
  at::Tensor post_quant_bias_;    // [C]
  CausalConv3d conv_in_;
  MidBlock mid_block_;
  std::vector<UpBlock> up_blocks_;
  NormSiluConv out_;
};

}  // namespace reel::vae
