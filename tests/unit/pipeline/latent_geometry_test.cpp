// From pixels to tokens, against the table of spec/hunyuanvideo.md 6.
#include "pipeline/latent_geometry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/errors.h"

namespace reel::pipeline {
namespace {

using ::testing::ElementsAre;

struct Row {
  ClipSize size;
  vae::LatentSize latents;
  int64_t num_image_tokens;
  int64_t max_tokens;
  int64_t blocks;
};

class LatentGeometryTable : public ::testing::TestWithParam<Row> {};

TEST_P(LatentGeometryTable, FollowsFromTheClip) {
  const Row& row = GetParam();
  const LatentGeometry geometry = latent_geometry(row.size);
  EXPECT_EQ(geometry.latents, row.latents);
  EXPECT_EQ(geometry.num_image_tokens, row.num_image_tokens);
  EXPECT_EQ(geometry.max_tokens(), row.max_tokens);
  EXPECT_EQ(geometry.max_blocks(128), row.blocks);
}

INSTANTIATE_TEST_SUITE_P(
    Published, LatentGeometryTable,
    ::testing::Values(Row{{129, 720, 1280}, {33, 90, 160}, 118'800, 119'056, 931},
                      Row{{129, 832, 1104}, {33, 104, 138}, 118'404, 118'660, 928},
                      Row{{129, 544, 960}, {33, 68, 120}, 67'320, 67'576, 528},
                      Row{{129, 624, 832}, {33, 78, 104}, 66'924, 67'180, 525},
                      Row{{129, 720, 720}, {33, 90, 90}, 66'825, 67'081, 525},
                      Row{{125, 720, 1280}, {32, 90, 160}, 115'200, 115'456, 902},
                      Row{{65, 720, 1280}, {17, 90, 160}, 61'200, 61'456, 481},
                      Row{{65, 544, 960}, {17, 68, 120}, 34'680, 34'936, 273},
                      Row{{81, 480, 848}, {21, 60, 106}, 33'390, 33'646, 263},
                      Row{{61, 320, 512}, {16, 40, 64}, 10'240, 10'496, 82},
                      Row{{17, 256, 256}, {5, 32, 32}, 1'280, 1'536, 12},
                      Row{{1, 16, 16}, {1, 2, 2}, 1, 257, 3}));

std::vector<std::string> problems_of(const ClipSize& size) {
  Problems problems;
  check_clip_size(size, problems);
  return problems.lines();
}

TEST(ClipSize, NamesTheNearestSizesThatWork) {
  EXPECT_THAT(problems_of({128, 720, 1270}),
              ElementsAre("--frames: not 4k + 1: got 128, want 125 or 129 (the VAE compresses time "
                          "by 4)",
                          "--width: not a multiple of 16: got 1270, want 1264 or 1280"));
  EXPECT_THAT(problems_of({4, 8, 16}),
              ElementsAre("--frames: not 4k + 1: got 4, want 1 or 5 (the VAE compresses time by 4)",
                          "--height: not a multiple of 16: got 8, want 16"));
}

TEST(ClipSize, RefusesWhatIsOutOfRange) {
  EXPECT_THAT(problems_of({0, -16, 1 << 20}),
              ElementsAre("--frames: out of range: got 0, want 1 to 4001",
                          "--width: out of range: got 1048576, want 16 to 8192",
                          "--height: out of range: got -16, want 16 to 8192"));
  EXPECT_THAT(problems_of({4001, 8192, 8192}), ElementsAre());
}

TEST(LatentGeometry, RefusesSizesThatTheModelsCannotHave) {
  EXPECT_EQ(testing::error_of<ConfigError>([] { latent_geometry({5, 24, 32}); }),
            "request: --height: not a multiple of 16: got 24, want 16 or 32");
}

}  // namespace
}  // namespace reel::pipeline
