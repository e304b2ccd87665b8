// Rotary position embedding of image tokens (spec/hunyuanvideo.md 1.10).
// Shape letters (docs/SHAPES.md): N image tokens, D head dim.
#pragma once

#include <ATen/core/Tensor.h>

#include "dit/config.h"
#include "dit/patch_embed.h"

namespace reel::dit {

/// The rotation of every image token: pair (2j, 2j + 1) of a head turns by the angle of column j.
/// Columns are those of the t axis first, then y, then x.
struct Rope {
  at::Tensor cos;  ///< [N, D / 2] fp32, contiguous
  at::Tensor sin;  ///< [N, D / 2] fp32, contiguous

  int64_t num_tokens() const { return cos.size(0); }
};

/// Tables for a grid; positions are indices 0, 1, 2, ... along each axis. Cheap: sines and cosines
/// are taken for each axis alone, and spread over the grid afterwards.
Rope make_rope(const Config& config, const TokenGrid& grid, at::Device device);

}  // namespace reel::dit
