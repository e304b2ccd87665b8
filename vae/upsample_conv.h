// Doubling the resolution inside the decoder.
// B batch, C channels, T h w the grid at this layer's input resolution (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>

#include "vae/backend.h"
#include "vae/fused_conv.h"
#include "vae/resolution.h"
#include "weights/weight_store.h"

namespace reel::vae {

namespace gpu {
class UpsampleConv;
}

/// Repeats every sample `factor` times along each axis, but the first frame once only in time.
/// x [B, C, T, h, w] -> [B, C, (T - 1) * time + 1, h * space, w * space].
at::Tensor upsample_nearest(const at::Tensor& x, ScaleFactor factor);

/// upsample_nearest and a causal convolution behind it (spec/hunyuanvideo.md 5.2).
class UpsampleConv {
 public:
  /// Takes `stem`.conv.conv.* [C, C, 3, 3, 3] and [C].
  UpsampleConv(weights::WeightStore& store, const std::string& stem, ScaleFactor factor,
               Backend backend);

  /// x [B, C, T, h, w] -> [B, C, (T - 1) * time + 1, h * space, w * space].
  at::Tensor forward(const at::Tensor& x) const;

 private:
  ScaleFactor factor_;
  at::Tensor weight_;  // undefined where folded_ or on_gpu_ holds it
  at::Tensor bias_;
  std::optional<FoldedUpsampleConv> folded_;
  std::shared_ptr<const gpu::UpsampleConv> on_gpu_;
};

}  // namespace reel::vae
