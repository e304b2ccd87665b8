// How a clip is cut into overlapping tiles that the VAE handles one by one: pure numbers, the same
// rule for both references (spec/hunyuanvideo.md 5.5).
// T h w latent frames, rows and columns; F H W video frames and pixels (docs/SHAPES.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vae/config.h"

namespace reel::vae {

/// Sizes of tiles and the distances between them, as users give them.
struct Tiling {
  int64_t size = 0;          ///< pixels, rows and columns alike
  int64_t stride = 0;        ///< pixels
  int64_t frames = 0;        ///< video frames; tiles hold one latent frame more
  int64_t frame_stride = 0;  ///< video frames

  friend bool operator==(const Tiling&, const Tiling&) = default;
};

inline constexpr Tiling kOfficialTiling{
    .size = 256, .stride = 192, .frames = 64, .frame_stride = 48};
inline constexpr Tiling kDiffusersTiling{
    .size = 256, .stride = 192, .frames = 16, .frame_stride = 12};

/// Reads "official", "diffusers" or "SIZE:STRIDE:FRAMES:FRAME_STRIDE". Throws ConfigError, naming
/// `where` (the flag), for other text, sizes that are no positive multiples of 8 pixels and 4
/// frames, or a stride above its size.
Tiling parse_tiling(const std::string& text, const std::string& where);

/// "SIZE:STRIDE:FRAMES:FRAME_STRIDE", which parse_tiling() reads.
std::string tiling_text(const Tiling& tiling);

/// A half-open range of latent frames, rows or columns.
struct Window {
  int64_t begin = 0;
  int64_t end = 0;

  int64_t size() const { return end - begin; }
  friend bool operator==(const Window&, const Window&) = default;
};

/// The tiles along one axis of the latents. One window over everything means: not tiled.
struct AxisPlan {
  std::vector<Window> windows;
  int64_t blend = 0;  ///< latents over which a tile fades in; times the ratio in pixels and frames
  int64_t keep = 0;   ///< latents that a tile contributes, if it has that many

  bool tiled() const { return windows.size() > 1; }
  friend bool operator==(const AxisPlan&, const AxisPlan&) = default;
};

/// All tiles of one clip. Time is the outer loop: a temporal tile is finished whole, in spatial
/// tiles if it is larger than one. Temporal tiles but the first lose the first frame they give; the
/// first keeps one more.
struct TilePlan {
  AxisPlan time;
  AxisPlan rows;
  AxisPlan columns;

  bool tiled() const { return time.tiled() || rows.tiled() || columns.tiled(); }
  int64_t num_tiles() const;
  std::string text() const;  ///< one line for people
  friend bool operator==(const TilePlan&, const TilePlan&) = default;
};

/// Latent frames, rows and columns of a clip.
struct LatentSize {
  int64_t frames = 0;
  int64_t rows = 0;
  int64_t columns = 0;

  friend bool operator==(const LatentSize&, const LatentSize&) = default;
};

/// One tile, whatever the size.
TilePlan plan_whole(const LatentSize& size);

/// Cuts time if there are more latent frames than a tile has, and space if there are more rows or
/// columns.
TilePlan plan_tiles(const LatentSize& size, const Tiling& tiling);

/// `--vae-tiling auto`: the official tiles exactly when T > 16 or h or w > 32, else one tile. The
/// result must not depend on free memory.
TilePlan plan_automatically(const LatentSize& size);

/// Throws ConfigError if a tile's largest activation in a VAE of `config` has 2^31 elements or
/// more, which convolutions on a GPU cannot address.
void check_tile_size(const TilePlan& plan, const Config& config, int64_t batch);

}  // namespace reel::vae
