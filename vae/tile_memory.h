// How much memory a GPU needs to decode, beside the weights: pure numbers, from which tiles are
// chosen before anything is loaded. T h w latents, F H W frames and pixels (docs/SHAPES.md).
#pragma once

#include <cstdint>

#include "vae/config.h"
#include "vae/tile_plan.h"

namespace reel::vae {

/// What the layers of the decoder hold at once, at most, for one tile of `tile` latents in a dtype
/// of `element_bytes` bytes: a block's input, padded copies and results, and its fp32 frames at the
/// end. What cuDNN takes for itself is not in it.
int64_t tile_bytes(const Config& config, const LatentSize& tile, int64_t element_bytes);

/// fp32 frames that stay while tiles are decoded: the temporal window that is being joined and the
/// strips that later tiles fade out of. 0 for a plan of one tile.
int64_t joining_bytes(const TilePlan& plan);

/// Both, for the largest tile of a plan: the peak of decode_tiles() if its sink keeps nothing. On
/// an H200 within 4 % of what was allocated beside the weights (docs/kernels/vae.md).
int64_t decode_bytes(const Config& config, const TilePlan& plan, int64_t element_bytes);

}  // namespace reel::vae
