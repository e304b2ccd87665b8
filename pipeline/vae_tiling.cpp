#include "pipeline/vae_tiling.h"

namespace reel::pipeline {

std::optional<VaeTiling> choose_vae_tiling(const VaeTilingOptions& options, Problems& problems) {
  VaeTiling tiling;
  const size_t problems_before = problems.lines().size();
  if (options.mode == "auto") {
    tiling.mode = options.tile ? VaeTiling::Mode::kOn : VaeTiling::Mode::kAuto;
  } else if (options.mode == "on") {
    tiling.mode = VaeTiling::Mode::kOn;
  } else if (options.mode == "off") {
    tiling.mode = VaeTiling::Mode::kOff;
    if (options.tile) {
      problems.add("--vae-tile: has no effect with --vae-tiling off: got ", *options.tile);
    }
  } else {
    problems.add("--vae-tiling: unknown mode: got ", options.mode, ", want auto, on or off");
  }
  if (options.tile) {
    try {
      tiling.tiles = vae::parse_tiling(*options.tile, "--vae-tile");
    } catch (const ConfigError& error) {
      problems.add(error.what());
    }
  }
  if (problems.lines().size() != problems_before) return std::nullopt;
  return tiling;
}

vae::TilePlan plan_vae_tiles(const VaeTiling& tiling, const vae::LatentSize& size) {
  switch (tiling.mode) {
    case VaeTiling::Mode::kOn:
      return vae::plan_tiles(size, tiling.tiles);
    case VaeTiling::Mode::kOff:
      return vae::plan_whole(size);
    case VaeTiling::Mode::kAuto:
      break;
  }
  return vae::plan_automatically(size);
}

std::string vae_tiling_text(const VaeTiling& tiling) {
  switch (tiling.mode) {
    case VaeTiling::Mode::kOn:
      return vae::tiling_text(tiling.tiles);
    case VaeTiling::Mode::kOff:
      return "off";
    case VaeTiling::Mode::kAuto:
      break;
  }
  return "auto";
}

}  // namespace reel::pipeline
