#include "vae/tile_memory.h"

#include <algorithm>

#include "vae/resolution.h"

namespace reel::vae {
namespace {

constexpr int64_t kFloatBytes = 4;

// Samples of one channel at a layer's resolution.
struct Grid {
  int64_t frames = 0;
  int64_t height = 0;
  int64_t width = 0;

  int64_t size() const { return frames * height * width; }
  // With the border of a causal 3 x 3 x 3 convolution.
  int64_t padded_size() const { return (frames + 2) * (height + 2) * (width + 2); }
  Grid scaled(ScaleFactor factor) const {
    return {(frames - 1) * factor.time + 1, height * factor.space, width * factor.space};
  }
};

// Elements of a residual block: its input and its shortcut stay until the end.
int64_t resnet_elements(const Grid& grid, int64_t in, int64_t out) {
  const int64_t kept = (in + (in == out ? 0 : out)) * grid.size();
  const int64_t first = in * grid.padded_size() + out * grid.size();
  const int64_t second = out * (grid.padded_size() + 2 * grid.size());
  return kept + std::max(first, second);
}

// Input, normalised input and its tokens, q, k, v, what is attended to, its projection and the sum;
// the last frame's logits and weights.
int64_t attention_elements(const Grid& grid, int64_t channels) {
  const int64_t frame = grid.height * grid.width;
  return 9 * channels * grid.size() + 2 * frame * grid.size();
}

// Folded: one phase's padded input and result beside the input and the whole result.
int64_t upsample_elements(const Grid& grid, ScaleFactor factor, int64_t channels) {
  return channels * (2 * grid.size() + grid.padded_size() + grid.scaled(factor).size());
}

// Latents of the longest window.
int64_t longest(const AxisPlan& axis) {
  int64_t size = 0;
  for (const Window& window : axis.windows) size = std::max(size, window.size());
  return size;
}

}  // namespace

int64_t tile_bytes(const Config& config, const LatentSize& tile, int64_t element_bytes) {
  Grid grid{tile.frames, tile.rows, tile.columns};
  int64_t in = config.block_channels.back();
  int64_t peak = resnet_elements(grid, in, in);
  if (config.mid_attention) peak = std::max(peak, attention_elements(grid, in));
  for (int64_t i = 0; i < kNumBlocks; ++i) {
    const int64_t out = config.block_channels[static_cast<size_t>(kNumBlocks - 1 - i)];
    peak = std::max({peak, resnet_elements(grid, in, out), resnet_elements(grid, out, out)});
    if (const ScaleFactor factor = block_factor(i); factor.changes_size()) {
      peak = std::max(peak, upsample_elements(grid, factor, out));
      grid = grid.scaled(factor);
    }
    in = out;
  }
  const int64_t frames_bytes = kImageChannels * grid.size() * kFloatBytes;
  return std::max(peak * element_bytes,
                  in * (grid.size() + grid.padded_size()) * element_bytes + 2 * frames_bytes);
}

int64_t joining_bytes(const TilePlan& plan) {
  if (plan.num_tiles() == 1) return 0;
  const int64_t height = plan.rows.windows.back().end * kSpatialRatio;
  const int64_t width = plan.columns.windows.back().end * kSpatialRatio;
  const int64_t frames = num_video_frames(longest(plan.time));
  const int64_t blended_rows =
      plan.rows.tiled() ? plan.rows.blend * kSpatialRatio * 2 : 0;  // of this row and of the next
  const int64_t blended_frames = plan.time.tiled() ? plan.time.blend * kTemporalRatio : 0;
  return kImageChannels * width * kFloatBytes *
         ((frames + blended_frames) * height + frames * blended_rows);
}

int64_t decode_bytes(const Config& config, const TilePlan& plan, int64_t element_bytes) {
  const LatentSize largest{longest(plan.time), longest(plan.rows), longest(plan.columns)};
  return tile_bytes(config, largest, element_bytes) + joining_bytes(plan);
}

}  // namespace reel::vae
