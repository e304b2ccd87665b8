// The flags --vae-tiling and --vae-tile, and the tile plan that they lead to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/problems.h"
#include "pipeline/clip_options.h"
#include "vae/tile_plan.h"

namespace reel::pipeline {

/// A valid choice.
struct VaeTiling {
  enum class Mode { kAuto, kOn, kOff };
  Mode mode = Mode::kAuto;
  vae::Tiling tiles = vae::kOfficialTiling;  ///< read with kOn only

  bool operator==(const VaeTiling&) const = default;
};

/// A tile that is given without a mode means kOn. Adds every problem to `problems`; nothing is
/// returned then.
std::optional<VaeTiling> choose_vae_tiling(const VaeTilingOptions& options, Problems& problems);

/// The tiles of latents of `size`.
vae::TilePlan plan_vae_tiles(const VaeTiling& tiling, const vae::LatentSize& size);

/// Tilings whose largest tile is smaller than that of `tiling` for latents of `size`, the largest
/// first: what to try when memory is short. Smaller tiles change pixels where they are blended.
std::vector<VaeTiling> smaller_tilings(const VaeTiling& tiling, const vae::LatentSize& size);

/// "auto", "off" or the tile as --vae-tile reads it.
std::string vae_tiling_text(const VaeTiling& tiling);

}  // namespace reel::pipeline
