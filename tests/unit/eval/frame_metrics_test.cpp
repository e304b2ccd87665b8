// Against scikit-image (tools/goldens/eval.py).
#include "eval/frame_metrics.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "tests/support/compare.h"
#include "tests/support/errors.h"
#include "weights/safetensors.h"

namespace reel::eval {
namespace {

using ::testing::HasSubstr;

TEST(FrameMetrics, EqualScikitImage) {
  const auto golden = weights::open_safetensors(testing::data_file("eval/frames.safetensors"));
  int cases = 0;
  for (const char* size : {"even", "odd", "least", "narrow"}) {
    for (const char* kind : {"noisy", "moved", "dark", "one"}) {
      const std::string name = std::string(size).append("_").append(kind);
      SCOPED_TRACE(name);
      const at::Tensor a = golden.tensor(size);
      const at::Tensor b = golden.tensor(name);
      EXPECT_NEAR(psnr(a, b), std::stod(golden.metadata().at(name + "_psnr")), 1e-6);
      EXPECT_NEAR(ssim(a, b), std::stod(golden.metadata().at(name + "_ssim")), 1e-6);
      ++cases;
    }
  }
  EXPECT_EQ(cases, 16);
}

TEST(FrameMetrics, OfEqualFramesAreInfinityAndOne) {
  const at::Tensor frame = at::arange(16 * 20 * 3).remainder(251).to(at::kByte).view({16, 20, 3});
  EXPECT_TRUE(std::isinf(psnr(frame, frame)));
  EXPECT_EQ(ssim(frame, frame), 1.0);
}

TEST(FrameMetrics, TakeStridedFrames) {
  const at::Tensor wide = at::arange(16 * 40 * 3).remainder(253).to(at::kByte).view({16, 40, 3});
  const at::Tensor strided = wide.slice(1, 0, 40, 2);
  const at::Tensor other = at::roll(wide, 1, 1).slice(1, 0, 40, 2);
  EXPECT_EQ(ssim(strided, other), ssim(strided.contiguous(), other.contiguous()));
}

TEST(FrameMetrics, RefuseFramesOfDifferentSizesAndWithoutAWindow) {
  const auto frame = [](int64_t height, int64_t width) {
    return at::zeros({height, width, 3}, at::kByte);
  };
  EXPECT_THAT(testing::error_of<ShapeError>([&] { psnr(frame(16, 16), frame(16, 17)); }),
              HasSubstr("psnr"));
  EXPECT_THAT(testing::error_of<ShapeError>([&] { ssim(frame(10, 64), frame(10, 64)); }),
              HasSubstr("got 64x10, want 11 pixels a side or more"));
}

}  // namespace
}  // namespace reel::eval
