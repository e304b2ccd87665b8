// Between latents and image tokens: cutting into patches, embedding them, and putting them back.
// Shape letters (docs/SHAPES.md): C channels, T h w the latent grid, N image tokens, M model width.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "dit/config.h"
#include "dit/linear.h"

namespace reel::dit {

/// Tokens along t, y and x of a latent grid.
using TokenGrid = std::array<int64_t, 3>;

/// The grid of [C, T, h, w] latents. Throws ShapeError unless the patches fit exactly.
TokenGrid token_grid(const Config& config, at::IntArrayRef latent_shape);

/// Rows of [N, C * pt * p * p], features ordered (c, t, y, x), from `latents` [C, T, h, w]
/// (spec/hunyuanvideo.md 1.4).
at::Tensor to_patches(const Config& config, const at::Tensor& latents);

/// The inverse (1.8): `patches` [N, C * pt * p * p] to latents [C, T, h, w].
at::Tensor from_patches(const Config& config, const at::Tensor& patches, const TokenGrid& grid);

/// The patch embedding: a convolution whose stride is its kernel, hence a linear layer on patches.
class PatchEmbed {
 public:
  PatchEmbed(const Config& config, weights::WeightStore& store);

  /// Writes the tokens of `latents` [C, T, h, w] (any float dtype) into `out` [N, M].
  void into(const at::Tensor& latents, at::Tensor out) const;

  at::TensorOptions options() const { return proj_.options(); }

 private:
  Config config_;
  Linear proj_;
};

}  // namespace reel::dit
