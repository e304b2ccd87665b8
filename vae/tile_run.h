// Runs the tiles of a plan and joins what they give: the same loop for decoding and encoding.
// B batch, C channels, T h w latents, F H W frames and pixels (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "vae/tile_plan.h"

namespace reel::vae {

/// Told after every tile how many of all are done.
using TileProgress = std::function<void(int64_t done, int64_t total)>;

/// Output samples that a latent stands for; the first latent frame always stands for one.
struct OutputScale {
  int64_t time = 1;
  int64_t space = 1;
};

/// What to do with a plan.
struct TileRun {
  const TilePlan& plan;
  OutputScale scale;
  /// Makes the output [B, C, .., .., ..] of one tile, given its windows of latents; the tile is the
  /// loop's to write into.
  std::function<at::Tensor(const Window& time, const Window& rows, const Window& columns)> tile;
  /// Takes the finished frames [B, C, f, .., ..] in order, each once; contiguous, never empty.
  std::function<void(const at::Tensor& frames)> sink;
  TileProgress progress;  ///< may be null
};

/// Runs all tiles. Neighbours are blended as the references do it: tiles row by row, with the tile
/// above before the tile at the left, each read after it was blended itself, temporal tiles last
/// (spec/hunyuanvideo.md 5.5). Of the tiles that were passed only the strips that a later one fades
/// out of are kept.
void run_tiles(const TileRun& run);

}  // namespace reel::vae
