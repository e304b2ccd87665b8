#include "pipeline/vae_tiling.h"

#include <algorithm>
#include <array>

namespace reel::pipeline {
namespace {

// From the published one down; below, neighbours would hardly see each other.
constexpr std::array kLadder = {
    vae::kOfficialTiling,
    vae::Tiling{.size = 256, .stride = 192, .frames = 32, .frame_stride = 24},
    vae::kDiffusersTiling,
    vae::Tiling{.size = 192, .stride = 144, .frames = 16, .frame_stride = 12},
    vae::Tiling{.size = 128, .stride = 96, .frames = 16, .frame_stride = 12},
};

int64_t longest(const vae::AxisPlan& axis) {
  int64_t size = 0;
  for (const auto& window : axis.windows) size = std::max(size, window.size());
  return size;
}

int64_t largest_tile(const vae::TilePlan& plan) {
  return longest(plan.time) * longest(plan.rows) * longest(plan.columns);
}

}  // namespace

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

std::vector<VaeTiling> smaller_tilings(const VaeTiling& tiling, const vae::LatentSize& size) {
  std::vector<VaeTiling> smaller;
  int64_t last = largest_tile(plan_vae_tiles(tiling, size));
  for (const auto& tiles : kLadder) {
    const VaeTiling next = {.mode = VaeTiling::Mode::kOn, .tiles = tiles};
    const int64_t tile = largest_tile(plan_vae_tiles(next, size));
    if (tile >= last) continue;
    smaller.push_back(next);
    last = tile;
  }
  return smaller;
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
