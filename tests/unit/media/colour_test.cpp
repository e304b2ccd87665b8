// How true colours return: the conversions alone over all of RGB, then through encoded files.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "media/frame_reader.h"
#include "media/scaler.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/media/test_video.h"

namespace reel::media {
namespace {

using testing::TempFolder;

Frame tagged_frame(int width, int height, AVPixelFormat format) {
  Frame frame = make_frame(width, height, format, "test");
  frame->colorspace = AVCOL_SPC_BT709;
  frame->color_range = AVCOL_RANGE_MPEG;
  return frame;
}

// All 256^3 colours, one pixel each, [4096, 4096, 3].
at::Tensor every_colour() {
  const at::Tensor index = at::arange(1 << 24, at::kInt);
  const auto channel = [&](int shift) { return index.bitwise_right_shift(shift).bitwise_and(255); };
  return at::stack({channel(16), channel(8), channel(0)}, -1).to(at::kByte).view({4096, 4096, 3});
}

// 8-bit limited-range BT.709 has fewer codes than RGB: an error of 2 is unavoidable for some.
TEST(Colour, EveryColourReturnsWithin2) {
  const at::Tensor colours = every_colour();
  const Frame rgb = make_frame(4096, 4096, AV_PIX_FMT_RGB24, "test");
  const Frame yuv = tagged_frame(4096, 4096, AV_PIX_FMT_YUV444P);
  copy_pixels(colours, *rgb);
  scale(*make_scaler(*rgb, *yuv, "test"), *rgb, *yuv, "test");
  scale(*make_scaler(*yuv, *rgb, "test"), *yuv, *rgb, "test");
  const at::Tensor error = (pixels_of(*rgb).to(at::kShort) - colours.to(at::kShort)).abs();
  EXPECT_LE(error.max().item<int>(), 2);
  const double share_of_2 = error.amax(-1).eq(2).to(at::kFloat).mean().item<double>();
  EXPECT_LT(share_of_2, 0.01);
}

TEST(Colour, LumaIsWhatBt709Says) {
  const Frame rgb = make_frame(16, 16, AV_PIX_FMT_RGB24, "test");
  const Frame yuv = tagged_frame(16, 16, AV_PIX_FMT_YUV420P);
  const Scaler scaler = make_scaler(*rgb, *yuv, "test");
  struct Case {
    int red, green, blue, luma, cb, cr;
  };
  // Y = 16 + 219 (0.2126 R + 0.7152 G + 0.0722 B), Cb = 128 + 224 (B - Y') / 1.8556,
  // Cr = 128 + 224 (R - Y') / 1.5748, with R, G, B, Y' in [0, 1] (BT.709, item 3).
  for (const Case& c : {Case{0, 0, 0, 16, 128, 128},
                        {255, 255, 255, 235, 128, 128},
                        {255, 0, 0, 63, 102, 240},
                        {0, 255, 0, 173, 42, 26},
                        {0, 0, 255, 32, 240, 118}}) {
    copy_pixels(flat_frames(1, 16, 16, c.red, c.green, c.blue)[0], *rgb);
    scale(*scaler, *rgb, *yuv, "test");
    EXPECT_EQ(yuv->data[0][0], c.luma);
    EXPECT_EQ(yuv->data[1][0], c.cb);
    EXPECT_EQ(yuv->data[2][0], c.cr);
  }
}

// Chroma samples of 4:2:0 lie on the left column of their two: a red-blue edge between columns 7
// and 8 falls between samples, and sample 4 (column 8) is wholly blue but for the filter's reach.
TEST(Colour, ChromaSitsOnTheLeft) {
  const Frame rgb = make_frame(16, 16, AV_PIX_FMT_RGB24, "test");
  const Frame yuv = tagged_frame(16, 16, AV_PIX_FMT_YUV420P);
  at::Tensor ramp = at::arange(16, at::kInt).mul(8).add(40).to(at::kByte).view({1, 16, 1});
  at::Tensor pixels = at::cat({ramp, ramp * 0 + 100, ramp * 0 + 100}, -1).expand({16, 16, 3});
  copy_pixels(pixels.contiguous(), *rgb);
  scale(*make_scaler(*rgb, *yuv, "test"), *rgb, *yuv, "test");
  // Along a ramp, a sample at column 2i has the Cr of column 2i; at 2i + 1/2 it would be higher by
  // 224 / 1.5748 * (1 - 0.2126) * 4 / 255 = 1.8 codes.
  for (int i = 2; i < 6; ++i) {
    const double red = (40 + 16 * i) / 255.0;
    const double luma = 0.2126 * red + 0.7874 * 100 / 255.0;
    EXPECT_NEAR(yuv->data[2][i], 128 + 224 * (red - luma) / 1.5748, 0.75) << "sample " << i;
  }
}

// One file holds many colours, a frame each.
class FlatColours : public ::testing::Test {
 protected:
  at::Tensor round_trip(const at::Tensor& frames, const EncoderOptions& options) {
    write_video(folder_ / "clip.mp4", frames, options);
    return read_frames(folder_ / "clip.mp4");
  }

  TempFolder folder_;
};

at::Tensor frames_of(const at::Tensor& colours) {  // [n, 3] -> [n, 16, 16, 3]
  return colours.view({-1, 1, 1, 3}).expand({colours.size(0), 16, 16, 3}).contiguous();
}

TEST_F(FlatColours, GreysReturnWithin1AtCrf0) {
  const at::Tensor greys = at::arange(256, at::kInt).to(at::kByte).view({-1, 1}).expand({256, 3});
  const at::Tensor frames = frames_of(greys);
  for (const auto* pix_fmt : {"yuv420p", "yuv444p"}) {
    EXPECT_LE(max_difference(round_trip(frames, {.crf = 0, .pix_fmt = pix_fmt}), frames), 1);
  }
}

TEST_F(FlatColours, ColoursReturnWithin2AtCrf0) {
  const at::Tensor levels = at::tensor({0, 1, 51, 102, 128, 153, 204, 254, 255}, at::kInt);
  const at::Tensor colours = at::cartesian_prod({levels, levels, levels}).to(at::kByte);
  const at::Tensor frames = frames_of(colours);
  for (const auto* pix_fmt : {"yuv420p", "yuv444p"}) {
    EXPECT_LE(max_difference(round_trip(frames, {.crf = 0, .pix_fmt = pix_fmt}), frames), 2);
  }
}

TEST_F(FlatColours, ColoursReturnExactlyInLosslessRgb) {
  const at::Tensor frames = frames_of(at::randint(0, 256, {300, 3}, at::kByte));
  const EncoderOptions exact{.pix_fmt = "rgb24", .lossless = true};
  EXPECT_EQ(max_difference(round_trip(frames, exact), frames), 0);
}

}  // namespace
}  // namespace reel::media
