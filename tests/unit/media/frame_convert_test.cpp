#include "media/frame_convert.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/error.h"
#include "media/frame_check.h"
#include "tests/support/errors.h"

namespace reel::media {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

// One grey pixel a value.
at::Tensor row_of(std::vector<float> values) {
  const auto width = static_cast<int64_t>(values.size());
  return at::tensor(values, at::kFloat).view({1, 1, 1, 1, width}).expand({1, 3, 1, 1, width});
}

std::vector<int> bytes_of(const at::Tensor& frames) {
  const at::Tensor red = frames.select(-1, 0).reshape({-1}).to(at::kInt).contiguous();
  const int* data = red.const_data_ptr<int>();
  return {data, data + red.numel()};
}

// The value in [-1, 1] whose 8-bit position is `level`.
float at_level(float level) {
  return level / 255 * 2 - 1;
}

TEST(ToPixels, ClampsToTheEnds) {
  EXPECT_EQ(bytes_of(to_pixels(row_of({-1, 1, -1.5, 7, 0}), Rounding::kNearest)),
            (std::vector<int>{0, 255, 0, 255, 128}));
}

TEST(ToPixels, RoundsOrTruncates) {
  const at::Tensor values = row_of({at_level(10.4F), at_level(10.6F), at_level(254.9F)});
  EXPECT_EQ(bytes_of(to_pixels(values, Rounding::kNearest)), (std::vector<int>{10, 11, 255}));
  EXPECT_EQ(bytes_of(to_pixels(values, Rounding::kTruncate)), (std::vector<int>{10, 10, 254}));
}

TEST(ToPixels, RoundsHalvesToEven) {
  int num_exact = 0;
  for (int level = 0; level < 255; ++level) {
    const float half = static_cast<float>(level) + 0.5F;
    const float value = at_level(half);
    if ((value * 0.5F + 0.5F) * 255.0F != half) continue;  // not a half in fp32
    ++num_exact;
    const int even = level % 2 == 0 ? level : level + 1;
    EXPECT_EQ(bytes_of(to_pixels(row_of({value}), Rounding::kNearest)).front(), even);
    EXPECT_EQ(bytes_of(to_pixels(row_of({value}), Rounding::kTruncate)).front(), level);
  }
  EXPECT_GT(num_exact, 50);
}

TEST(ToPixels, PutsChannelsLast) {
  const at::Tensor frames = at::linspace(-1, 1, 3 * 2 * 4 * 5).view({1, 3, 2, 4, 5});
  const at::Tensor pixels = to_pixels(frames, Rounding::kNearest);
  ASSERT_EQ(pixels.sizes(), (at::IntArrayRef{2, 4, 5, 3}));
  EXPECT_TRUE(pixels.is_contiguous());
  const float value = frames[0][2][1][3][4].item<float>();
  EXPECT_NEAR(pixels[1][3][4][2].item<int>(), (value / 2 + 0.5) * 255, 0.51);
}

TEST(ToPixels, TakesHalfPrecision) {
  const at::Tensor frames = at::linspace(-1, 1, 300).view({1, 3, 1, 10, 10});
  for (const auto dtype : {at::kHalf, at::kBFloat16}) {
    const at::Tensor narrow = frames.to(dtype);
    EXPECT_TRUE(at::equal(to_pixels(narrow, Rounding::kNearest),
                          to_pixels(narrow.to(at::kFloat), Rounding::kNearest)));
  }
}

TEST(ToPixels, RefusesABatch) {
  EXPECT_THAT(
      error_of<ShapeError>([] { to_pixels(at::zeros({2, 3, 1, 4, 4}), Rounding::kNearest); }),
      HasSubstr("wrong shape: got [2, 3, 1, 4, 4]"));
}

TEST(FrameCheck, FindsOneValueThatIsNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    for (const auto dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
      at::Tensor values = at::zeros({1, 3, 2, 4, 4});
      FrameCheck().add_values(values.to(dtype));
      values[0][2][1][3][3] = bad;
      EXPECT_THAT(error_of<OutputError>([&] { FrameCheck().add_values(values.to(dtype)); }),
                  HasSubstr("values are not finite: got 1 of 96"));
    }
  }
}

at::Tensor flat(int64_t num_frames) {
  return at::tensor({10, 20, 30}, at::kByte).expand({num_frames, 4, 6, 3}).contiguous();
}

TEST(FrameCheck, FindsOneColourOverAllChunks) {
  FrameCheck check;
  check.add_pixels(flat(2));
  check.add_pixels(flat(3));
  EXPECT_THAT(error_of<OutputError>([&] { check.finish(5); }),
              HasSubstr("every pixel has the same colour: got 10 20 30"));
}

TEST(FrameCheck, OnePixelOfAnotherColourIsEnough) {
  for (const int64_t channel : {0, 1, 2}) {
    at::Tensor last = flat(3);
    last[2][3][5][channel] = 31;
    FrameCheck check;
    check.add_pixels(flat(2));
    check.add_pixels(last);
    EXPECT_NO_THROW(check.finish(5));
  }
}

TEST(FrameCheck, FlatFramesThatDifferFromEachOtherAreAVideo) {
  FrameCheck check;
  check.add_pixels(flat(1));
  check.add_pixels(flat(1) + 1);
  EXPECT_NO_THROW(check.finish(2));
}

TEST(FrameCheck, GreyIsNotFlatBecauseItsChannelsAgree) {
  FrameCheck check;
  at::Tensor frames = at::arange(16, at::kInt).to(at::kByte).view({1, 4, 4, 1});
  check.add_pixels(frames.expand({1, 4, 4, 3}));
  EXPECT_NO_THROW(check.finish(1));
}

TEST(FrameCheck, CountsFrames) {
  FrameCheck check;
  at::Tensor frames = flat(4);
  frames[0][0][0][0] = 0;
  check.add_pixels(frames);
  EXPECT_THAT(error_of<OutputError>([&] { check.finish(5); }),
              HasSubstr("the video is truncated: got 4 frames, want 5"));
  EXPECT_NO_THROW(check.finish(4));
}

}  // namespace
}  // namespace reel::media
