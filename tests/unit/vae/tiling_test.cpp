#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/compare.h"
#include "tests/unit/vae/goldens.h"
#include "vae/blending.h"
#include "vae/tiled_vae.h"

namespace reel::vae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Blending, FadesFromThePreviousTile) {
  const auto previous = at::full({1, 1, 1, 5, 2}, 8.0);
  const auto tile = at::zeros({1, 1, 1, 6, 2});
  blend_(tile, previous, 3, 4);
  EXPECT_TRUE(
      at::equal(tile.select(4, 1).flatten(), at::tensor({8.0F, 6.0F, 4.0F, 2.0F, 0.0F, 0.0F})));
}

TEST(Blending, IsCutToTheShorterTile) {
  const auto previous = at::tensor({1.0F, 2.0F}).view({1, 1, 2});
  const auto tile = at::zeros({1, 1, 5});
  blend_(tile, previous, 2, 4);
  EXPECT_TRUE(at::equal(tile.flatten(), at::tensor({1.0F, 1.0F, 0.0F, 0.0F, 0.0F})));
  const auto untouched = at::ones({1, 1, 3});
  blend_(untouched, at::zeros({1, 1, 0}), 2, 4);
  EXPECT_TRUE(at::equal(untouched, at::ones({1, 1, 3})));
}

// A "decoder" whose tile is a constant, so that what the loop kept of each can be read off.
at::Tensor constant_tile(double value, const Window& time, const Window& rows,
                         const Window& columns) {
  return at::full({1, 1, num_video_frames(time.size()), rows.size() * kSpatialRatio,
                   columns.size() * kSpatialRatio},
                  value);
}

TEST(TileRun, HandsOutFramesInOrderAndReportsEveryTile) {
  const TilePlan plan = plan_tiles({33, 33, 8}, kOfficialTiling);
  std::vector<int64_t> lengths;
  std::vector<int64_t> progress;
  double value = 0;
  run_tiles({.plan = plan,
             .scale = {.time = kTemporalRatio, .space = kSpatialRatio},
             .tile = [&](const auto& t, const auto& r,
                         const auto& c) { return constant_tile(value++, t, r, c); },
             .sink =
                 [&](const at::Tensor& frames) {
                   EXPECT_EQ(frames.size(3), 264);
                   EXPECT_EQ(frames.size(4), 64);
                   EXPECT_TRUE(frames.is_contiguous());
                   // Rows before the second tile's fade show the first tile of this window alone.
                   EXPECT_EQ(frames.select(2, frames.size(2) - 1)[0][0][191][0].item<double>(),
                             2.0 * static_cast<double>(lengths.size()));
                   lengths.push_back(frames.size(2));
                 },
             .progress =
                 [&](int64_t done, int64_t total) {
                   EXPECT_EQ(total, 6);
                   progress.push_back(done);
                 }});
  EXPECT_THAT(lengths, ElementsAre(49, 48, 32));
  EXPECT_THAT(progress, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(TileRun, ReadsNeighboursThatAreBlendedAlready) {
  // Two by two tiles of constants a b / c d: the corner under d sees c after c was blended with a,
  // and b after b was blended with a.
  const TilePlan plan = plan_tiles({1, 3, 3}, Tiling{16, 8, 4, 4});
  const std::vector<double> values = {1, 2, 0, 4, 8, 0, 0, 0, 0};
  size_t next = 0;
  at::Tensor joined;
  run_tiles({.plan = plan,
             .scale = {.time = kTemporalRatio, .space = kSpatialRatio},
             .tile = [&](const auto& t, const auto& r,
                         const auto& c) { return constant_tile(values[next++], t, r, c); },
             .sink = [&](const at::Tensor& frames) { joined = frames.clone(); },
             .progress = nullptr});
  const auto at_pixel = [&](int64_t y, int64_t x) { return joined[0][0][0][y][x].item<double>(); };
  const double b = 0.5 * 1 + 0.5 * 2;           // b at its column 4, faded from a
  const double c = 0.5 * 1 + 0.5 * 4;           // c at its row 4, faded from a
  const double d_vertical = 0.5 * b + 0.5 * 8;  // d faded from b first
  EXPECT_DOUBLE_EQ(at_pixel(0, 12), b);
  EXPECT_DOUBLE_EQ(at_pixel(12, 0), c);
  EXPECT_DOUBLE_EQ(at_pixel(12, 12), 0.5 * c + 0.5 * d_vertical);
}

TEST(TiledVae, StreamsTheSameFramesAsItJoins) {
  const Config config = testing::golden_config();
  auto store = testing::drawn_weights(config);
  const Decoder decoder(config, store);
  const auto z = testing::drawn_input({1, 4, 4, 2, 3});
  const TilePlan plan = plan_tiles({4, 2, 3}, Tiling{32, 24, 8, 4});
  const auto joined = decode_to_tensor(decoder, z, plan);
  int64_t seen = 0;
  decode_tiles(
      decoder, z, plan,
      [&](const at::Tensor& frames) {
        EXPECT_TRUE(at::equal(frames, joined.narrow(2, seen, frames.size(2))));
        seen += frames.size(2);
      },
      nullptr);
  EXPECT_EQ(seen, 13);
}

TEST(TiledVae, RefusesAPlanForAnotherSize) {
  const Config config = testing::golden_config();
  auto store = testing::drawn_weights(config);
  const Decoder decoder(config, store);
  EXPECT_THAT([&] { decode_to_tensor(decoder, at::zeros({1, 4, 2, 2, 3}), plan_whole({2, 3, 2})); },
              ThrowsMessage<ShapeError>(HasSubstr("got [2, 3, 2], want [2, 2, 3]")));
}

}  // namespace
}  // namespace reel::vae
