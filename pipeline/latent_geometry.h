// From the size of a clip to the sizes that the models see (spec/hunyuanvideo.md 6).
// F H W frames and pixels, T h w the latent grid, N image tokens (docs/SHAPES.md).
#pragma once

#include <cstdint>

#include "core/problems.h"
#include "vae/tile_plan.h"

namespace reel::pipeline {

/// Text positions that a prompt can fill in the transformer.
inline constexpr int64_t kMaxTextTokens = 256;

/// Size of a clip in frames and pixels.
struct ClipSize {
  int64_t frames = 0;
  int64_t height = 0;
  int64_t width = 0;

  bool operator==(const ClipSize&) const = default;
};

/// What the transformer makes of a clip.
struct LatentGeometry {
  vae::LatentSize latents;       ///< T, h, w
  int64_t num_image_tokens = 0;  ///< N

  /// N and as many text tokens as fit: the longest sequence that attention can see.
  int64_t max_tokens() const { return num_image_tokens + kMaxTextTokens; }

  /// Attention blocks of the longest sequence, the last one ragged.
  int64_t max_blocks(int64_t block) const { return (max_tokens() + block - 1) / block; }

  bool operator==(const LatentGeometry&) const = default;
};

/// Adds a problem, named by its flag and with the nearest sizes that work, for every number that is
/// not positive, too large, no multiple of 16 pixels, or no 4 k + 1 frames.
void check_clip_size(const ClipSize& size, Problems& problems);

/// Throws ConfigError "request: ..." where check_clip_size() finds problems. Patches are 1 x 2 x 2.
LatentGeometry latent_geometry(const ClipSize& size);

}  // namespace reel::pipeline
