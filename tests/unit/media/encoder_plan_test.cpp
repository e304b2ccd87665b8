#include "media/encoder_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/errors.h"

namespace reel::media {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;

std::string refusal(const EncoderOptions& options, int64_t width = 64, int64_t height = 64) {
  return error_of<ConfigError>([&] { plan_encoder(options, width, height); });
}

TEST(EncoderPlan, HasThePublishedDefaults) {
  const EncoderPlan plan = plan_encoder({}, 1280, 720);
  EXPECT_EQ(plan.codec, "h264");
  EXPECT_EQ(plan.encoder, "libx264");
  EXPECT_EQ(plan.preset, "slow");
  EXPECT_EQ(plan.pix_fmt, "yuv420p");
  EXPECT_EQ(plan.crf, 17);
  EXPECT_FALSE(plan.lossless);
}

TEST(EncoderPlan, LosslessIsCrf0WithFullColour) {
  const EncoderPlan yuv = plan_encoder({.lossless = true}, 64, 64);
  EXPECT_EQ(yuv.pix_fmt, "yuv444p");
  EXPECT_EQ(yuv.crf, 0);
  EXPECT_EQ(yuv.encoder, "libx264");
  const EncoderPlan rgb = plan_encoder({.pix_fmt = "rgb24", .lossless = true}, 64, 64);
  EXPECT_EQ(rgb.encoder, "libx264rgb");
  EXPECT_EQ(rgb.crf, 0);
}

TEST(EncoderPlan, RefusesUnknownNamesWithTheAcceptedOnes) {
  EXPECT_THAT(refusal({.codec = "av1"}),
              HasSubstr("--codec: unknown name: got av1, want one of h264, h265"));
  EXPECT_THAT(refusal({.preset = "slwo"}),
              HasSubstr("slower, veryslow, placebo; did you mean slow?"));
  EXPECT_THAT(
      refusal({.pix_fmt = "yuv422p"}),
      HasSubstr("--pix-fmt: unknown name: got yuv422p, want one of yuv420p, yuv444p, rgb24"));
}

TEST(EncoderPlan, RefusesCrfOutOfRange) {
  EXPECT_THAT(refusal({.crf = -1}), HasSubstr("--crf: out of range: got -1, want 0 to 51"));
  EXPECT_THAT(refusal({.crf = 51.5}), HasSubstr("--crf: out of range: got 51.5"));
  EXPECT_THAT(refusal({.crf = std::nan("")}), HasSubstr("--crf: out of range: got nan"));
  EXPECT_EQ(plan_encoder({.crf = 51}, 64, 64).crf, 51);
}

TEST(EncoderPlan, RefusesOddSizesOnlyWhereColourIsHalved) {
  EXPECT_THAT(refusal({}, 1281, 720), HasSubstr("--width: odd size: got 1281, want an even one"));
  EXPECT_THAT(refusal({}, 1280, 4095), HasSubstr("--height: odd size: got 4095"));
  EXPECT_EQ(plan_encoder({.pix_fmt = "yuv444p"}, 1281, 721).pix_fmt, "yuv444p");
  EXPECT_THAT(refusal({}, 0, 16386), HasSubstr("--width: out of range: got 0, want 1 to 16384"));
}

TEST(EncoderPlan, RefusesContradictions) {
  EXPECT_THAT(refusal({.codec = "h265", .lossless = true}),
              HasSubstr("--lossless: got --codec h265"));
  EXPECT_THAT(refusal({.crf = 17, .lossless = true}), HasSubstr("--lossless: got --crf 17"));
  EXPECT_THAT(refusal({.pix_fmt = "yuv420p", .lossless = true}),
              HasSubstr("--lossless: got --pix-fmt yuv420p"));
  EXPECT_THAT(refusal({.pix_fmt = "rgb24"}), HasSubstr("--pix-fmt: rgb24 needs --lossless"));
}

TEST(EncoderPlan, NamesAllProblemsAtOnce) {
  const std::string text = refusal({.codec = "vp9", .crf = 60, .preset = "warp"}, 63, 64);
  EXPECT_THAT(text, HasSubstr("encoder: 4 problems"));
  for (const auto* flag : {"--codec", "--crf", "--preset", "--width"}) {
    EXPECT_THAT(text, HasSubstr(flag));
  }
  EXPECT_THAT(text, Not(HasSubstr("--height")));
}

}  // namespace
}  // namespace reel::media
