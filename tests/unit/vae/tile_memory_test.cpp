#include "vae/tile_memory.h"

#include <gtest/gtest.h>

namespace reel::vae {
namespace {

constexpr int64_t kHalfBytes = 2;

Config full_width() {
  return {.latent_channels = 16,
          .block_channels = {128, 256, 512, 512},
          .layers_per_block = 2,
          .num_groups = 32,
          .mid_attention = true,
          .scaling_factor = 0.476986};
}

// Six tensors of 128 channels and 65 x 256 x 256 samples, two of which are padded: where the first
// residual block at full resolution halves its width.
TEST(TileMemory, OfAnOfficialTileIsThatOfTheBlockThatHalvesTheWidthAtFullResolution) {
  constexpr int64_t kSamples = 65 * 256 * 256;
  constexpr int64_t kPadded = 67 * 258 * 258;
  constexpr int64_t kFirst = 256 + 128 + 128;  // input, shortcut and result of the first
  EXPECT_EQ(tile_bytes(full_width(), {17, 32, 32}, kHalfBytes),
            (kFirst * kSamples + 256 * kPadded) * kHalfBytes);
}

TEST(TileMemory, IsTwiceAsMuchInFp32) {
  EXPECT_EQ(tile_bytes(full_width(), {17, 32, 32}, 4),
            2 * tile_bytes(full_width(), {17, 32, 32}, 2));
}

// The scores of a frame's queries grow with the square of the tile's area.
TEST(TileMemory, OfAWideFlatTileIsThatOfItsAttention) {
  Config config = full_width();
  const LatentSize tile{1, 512, 512};
  const int64_t with = tile_bytes(config, tile, kHalfBytes);
  config.mid_attention = false;
  EXPECT_GT(with, 2 * tile_bytes(config, tile, kHalfBytes));
  EXPECT_GT(with, int64_t{512 * 512} * 512 * 512 * 4);
}

TEST(TileMemory, OfJoiningCoversTheWindowAndTheStrips) {
  const TilePlan plan = plan_tiles({33, 90, 160}, kOfficialTiling);
  constexpr int64_t kFrameBytes = int64_t{3} * 720 * 1280 * 4;
  constexpr int64_t kStripBytes = int64_t{3} * 128 * 1280 * 4;
  EXPECT_EQ(joining_bytes(plan), (65 + 16) * kFrameBytes + 65 * kStripBytes);
  EXPECT_EQ(joining_bytes(plan_whole({33, 90, 160})), 0);
  EXPECT_EQ(decode_bytes(full_width(), plan, kHalfBytes),
            tile_bytes(full_width(), {17, 32, 32}, kHalfBytes) + joining_bytes(plan));
}

// Issue 7: the published widths at 720 x 1280 within 16 GB, with room for weights and cuDNN.
TEST(TileMemory, OfficialTilesOf720pFitSmallCards) {
  const TilePlan plan = plan_tiles({33, 90, 160}, kOfficialTiling);
  EXPECT_LT(decode_bytes(full_width(), plan, kHalfBytes), int64_t{10'000'000'000});
}

}  // namespace
}  // namespace reel::vae
