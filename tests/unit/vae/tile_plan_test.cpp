#include "vae/tile_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace reel::vae {

// How a failing test prints a window.
void PrintTo(const Window& window, std::ostream* out) {
  *out << "[" << window.begin << ", " << window.end << ")";
}

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

constexpr LatentSize kFullClip{.frames = 33, .rows = 90, .columns = 160};  // 1280 x 720 x 129

TEST(TilePlan, OfficialTilesOfAFullClip) {
  const TilePlan plan = plan_tiles(kFullClip, kOfficialTiling);
  EXPECT_THAT(plan.time.windows, ElementsAre(Window{0, 17}, Window{12, 29}, Window{24, 33}));
  EXPECT_EQ(plan.time.blend, 4);
  EXPECT_EQ(plan.time.keep, 12);
  EXPECT_THAT(plan.rows.windows,
              ElementsAre(Window{0, 32}, Window{24, 56}, Window{48, 80}, Window{72, 90}));
  EXPECT_EQ(plan.rows.blend * kSpatialRatio, 64);
  EXPECT_EQ(plan.rows.keep * kSpatialRatio, 192);
  EXPECT_THAT(plan.columns.windows, SizeIs(7));
  EXPECT_EQ(plan.num_tiles(), 84);
}

TEST(TilePlan, DiffusersTilesOfAFullClip) {
  const TilePlan plan = plan_tiles(kFullClip, kDiffusersTiling);
  EXPECT_THAT(plan.time.windows, SizeIs(11));
  EXPECT_EQ(plan.time.windows.front(), (Window{0, 5}));
  EXPECT_EQ(plan.time.windows.back(), (Window{30, 33}));
  EXPECT_EQ(plan.time.blend, 1);
  EXPECT_EQ(plan.num_tiles(), 308);
}

TEST(TilePlan, LeavesOutAWindowThatWouldGiveNoFrame) {
  const TilePlan plan = plan_tiles({.frames = 25, .rows = 8, .columns = 8}, kOfficialTiling);
  EXPECT_THAT(plan.time.windows, ElementsAre(Window{0, 17}, Window{12, 25}));
}

TEST(TilePlan, CutsAnAxisOnlyWhereSomethingIsLargerThanATile) {
  EXPECT_FALSE(plan_automatically({.frames = 16, .rows = 32, .columns = 32}).tiled());
  EXPECT_TRUE(plan_automatically({.frames = 17, .rows = 1, .columns = 1}).time.tiled());
  const TilePlan wide = plan_automatically({.frames = 1, .rows = 30, .columns = 33});
  EXPECT_FALSE(wide.time.tiled());
  // Both axes of the area are cut, as the references do it, even the one that would fit.
  EXPECT_THAT(wide.rows.windows, ElementsAre(Window{0, 30}, Window{24, 30}));
  EXPECT_THAT(wide.columns.windows, ElementsAre(Window{0, 32}, Window{24, 33}));
  EXPECT_FALSE(plan_whole(kFullClip).tiled());
}

TEST(TilePlan, EveryLatentIsKeptExactlyOnce) {
  for (const auto& tiling : {kOfficialTiling, kDiffusersTiling, Tiling{16, 8, 8, 4}}) {
    for (int64_t length = 1; length < 60; ++length) {
      const TilePlan plan = plan_tiles({length, length, length}, tiling);
      int64_t rows = 0;
      for (const auto& window : plan.rows.windows) {
        EXPECT_EQ(window.begin, rows);
        rows += std::min(plan.rows.keep, window.size());
      }
      EXPECT_EQ(rows, length);
      int64_t frames = 1;
      for (const auto& window : plan.time.windows) {
        frames += std::min(plan.time.keep, window.size() - 1);
      }
      EXPECT_EQ(frames, length);
    }
  }
}

TEST(TilePlan, PrintsWhatItWillDo) {
  EXPECT_EQ(plan_tiles({.frames = 33, .rows = 32, .columns = 40}, kOfficialTiling).text(),
            "12 tiles: frames [0,17)[12,29)[24,33) blend 4; rows [0,32)[24,32) blend 8; "
            "columns [0,32)[24,40) blend 8");
  EXPECT_EQ(plan_whole({.frames = 9, .rows = 32, .columns = 24}).text(),
            "1 tile: frames [0,9); rows [0,32); columns [0,24)");
}

TEST(TilePlan, ReadsPresetsAndNumbers) {
  EXPECT_EQ(parse_tiling("official", "--vae-tile"), kOfficialTiling);
  EXPECT_EQ(parse_tiling("diffusers", "--vae-tile"), kDiffusersTiling);
  EXPECT_EQ(parse_tiling("128:96:32:24", "--vae-tile"), (Tiling{128, 96, 32, 24}));
  EXPECT_EQ(tiling_text(kOfficialTiling), "256:192:64:48");
}

TEST(TilePlan, RefusesTilingsThatCannotWork) {
  for (const std::string text : {"", "none", "128", "128:96:32", "128:96:32:24:1", "128:96:32:x",
                                 "128:96:32:24 ", "128::32:24"}) {
    EXPECT_THAT(
        [&] { parse_tiling(text, "--vae-tile"); },
        ThrowsMessage<ConfigError>(HasSubstr("--vae-tile: not a tiling: got " + text + ", ")));
  }
  EXPECT_THAT([] { parse_tiling("100:96:30:-4", "--vae-tile"); },
              ThrowsMessage<ConfigError>(
                  HasSubstr("3 problems\n  size: not a positive multiple of 8: got 100")));
  EXPECT_THAT(
      [] { parse_tiling("64:96:32:24", "--vae-tile"); },
      ThrowsMessage<ConfigError>(HasSubstr("size stride: leaves gaps: got 96, want at most 64")));
}

TEST(TilePlan, RefusesATileThatConvolutionsCannotAddress) {
  const Config config{.latent_channels = 16,
                      .block_channels = {128, 256, 512, 512},
                      .layers_per_block = 2,
                      .num_groups = 32,
                      .mid_attention = true,
                      .scaling_factor = 1.0};
  EXPECT_NO_THROW(check_tile_size(plan_tiles(kFullClip, kOfficialTiling), config, 1));
  EXPECT_THAT(
      [&] { check_tile_size(plan_whole(kFullClip), config, 1); },
      ThrowsMessage<ConfigError>(HasSubstr("VAE tiles: too large: got an activation of 30434")));
  EXPECT_THROW(check_tile_size(plan_tiles(kFullClip, kOfficialTiling), config, 2), ConfigError);
}

}  // namespace
}  // namespace reel::vae
