#include "vae/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/unit/vae/goldens.h"
#include "vae/resolution.h"

namespace reel::vae {
namespace {

using ::testing::ElementsAre;
using ::testing::StrEq;
using ::testing::ThrowsMessage;

constexpr const char* kOfficial = R"({
  "_class_name": "AutoencoderKLCausal3D", "_diffusers_version": "0.4.2", "act_fn": "silu",
  "block_out_channels": [128, 256, 512, 512],
  "down_block_types": ["DownEncoderBlockCausal3D", "DownEncoderBlockCausal3D",
                       "DownEncoderBlockCausal3D", "DownEncoderBlockCausal3D"],
  "in_channels": 3, "latent_channels": 16, "layers_per_block": 2, "norm_num_groups": 32,
  "out_channels": 3, "sample_size": 256, "sample_tsize": 64,
  "up_block_types": ["UpDecoderBlockCausal3D", "UpDecoderBlockCausal3D",
                     "UpDecoderBlockCausal3D", "UpDecoderBlockCausal3D"],
  "scaling_factor": 0.476986, "time_compression_ratio": 4, "mid_block_add_attention": true})";

Config read(const std::string& text) {
  return Config::read(JsonReader::parse(text, "vae/config.json", JsonOwner::kModel));
}

// The official text with one passage replaced.
std::string with(const std::string& passage, const std::string& replacement) {
  std::string text = kOfficial;
  const size_t at = text.find(passage);
  EXPECT_NE(at, std::string::npos) << passage;
  return text.replace(at, passage.size(), replacement);
}

void expect_refusal(const std::string& text, const std::string& message) {
  EXPECT_THAT([&] { read(text); },
              ThrowsMessage<WeightError>(StrEq("vae/config.json: " + message)));
}

TEST(VaeConfig, ReadsTheOfficialLayout) {
  const Config config = read(kOfficial);
  EXPECT_EQ(config.latent_channels, 16);
  EXPECT_THAT(config.block_channels, ElementsAre(128, 256, 512, 512));
  EXPECT_EQ(config.layers_per_block, 2);
  EXPECT_EQ(config.num_groups, 32);
  EXPECT_TRUE(config.mid_attention);
  EXPECT_EQ(config.scaling_factor, 0.476986);
}

TEST(VaeConfig, ReadsTheDiffusersLayout) {
  const Config config = testing::golden_config();
  EXPECT_EQ(config.latent_channels, 4);
  EXPECT_THAT(config.block_channels, ElementsAre(8, 16, 32, 32));
  EXPECT_EQ(config.num_groups, 4);
}

TEST(VaeConfig, RefusesOtherFamilies) {
  expect_refusal(with("AutoencoderKLCausal3D", "AutoencoderKLWan"),
                 "/_class_name: not a HunyuanVideo VAE: got AutoencoderKLWan, want "
                 "AutoencoderKLHunyuanVideo or AutoencoderKLCausal3D");
  expect_refusal(with("\"time_compression_ratio\": 4", "\"time_compression_ratio\": 8"),
                 "/time_compression_ratio: not supported: got 8, want 4");
  expect_refusal(with("\"act_fn\": \"silu\"", "\"act_fn\": \"gelu\""),
                 "/act_fn: not supported: got gelu, want silu");
  expect_refusal(with("\"UpDecoderBlockCausal3D\", \"UpDecoderBlockCausal3D\",",
                      "\"UpDecoderBlockCausal3D\", \"AttnUpBlock\","),
                 "/up_block_types: not supported: got AttnUpBlock, want UpDecoderBlockCausal3D");
}

TEST(VaeConfig, RefusesWidthsThatGroupsDoNotDivide) {
  expect_refusal(with("[128, 256, 512, 512]", "[128, 250, 512, 512]"),
                 "/block_out_channels: not a positive multiple of norm_num_groups: got 250, want a "
                 "multiple of 32, at most 65536");
  expect_refusal(with("[128, 256, 512, 512]", "[128, 256, 512, 4611686018427387904]"),
                 "/block_out_channels: not a positive multiple of norm_num_groups: got "
                 "4611686018427387904, want a multiple of 32, at most 65536");
  expect_refusal(with("[128, 256, 512, 512]", "[128, 256, 512]"),
                 "/block_out_channels: wrong number of blocks: got 3, want 4");
}

TEST(VaeConfig, RefusesAMissingKeyAndAShift) {
  EXPECT_THAT([] { read(with("\"scaling_factor\": 0.476986, ", "")); },
              ThrowsMessage<WeightError>(::testing::HasSubstr("scaling_factor")));
  EXPECT_THAT([] { read(with("\"in_channels\"", "\"shift_factor\": 0.1, \"in_channels\"")); },
              ThrowsMessage<WeightError>(::testing::HasSubstr("shift_factor")));
  expect_refusal(with("0.476986", "0.0"), "/scaling_factor: not positive: got 0.000000");
}

TEST(VaeConfig, CountsFramesBothWays) {
  EXPECT_EQ(num_video_frames(1), 1);
  EXPECT_EQ(num_video_frames(33), 129);
  EXPECT_EQ(num_latent_frames(1), 1);
  EXPECT_EQ(num_latent_frames(129), 33);
}

TEST(VaeConfig, BlocksMultiplyToTheRatios) {
  int64_t time = 1;
  int64_t space = 1;
  for (int64_t block = 0; block < kNumBlocks; ++block) {
    time *= block_factor(block).time;
    space *= block_factor(block).space;
  }
  EXPECT_EQ(time, kTemporalRatio);
  EXPECT_EQ(space, kSpatialRatio);
  EXPECT_EQ(block_factor(0), (ScaleFactor{.time = 1, .space = 2}));
  EXPECT_FALSE(block_factor(3).changes_size());
}

}  // namespace
}  // namespace reel::vae
