#include "eval/clip_metrics.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "eval/frame_metrics.h"
#include "tests/support/errors.h"

namespace reel::eval {
namespace {

at::Tensor clip(int64_t frames) {
  return at::arange(frames * 16 * 16 * 3).remainder(247).to(at::kByte).view({frames, 16, 16, 3});
}

TEST(ClipMetrics, AverageOverFramesAndCountAnEqualFrameAsAHundredDb) {
  const at::Tensor reference = clip(3);
  at::Tensor other = reference.clone();
  other[1].fill_(7);
  ClipComparison comparison;
  comparison.add(reference.slice(0, 0, 2), other.slice(0, 0, 2));
  comparison.add(reference.slice(0, 2, 3), other.slice(0, 2, 3));

  const auto& metrics = comparison.metrics();
  const double second = psnr(reference[1], other[1]);
  EXPECT_FALSE(metrics.identical());
  EXPECT_DOUBLE_EQ(metrics.mean_psnr(), (100.0 + second + 100.0) / 3);
  EXPECT_DOUBLE_EQ(metrics.mean_ssim(), (1.0 + ssim(reference[1], other[1]) + 1.0) / 3);
  const auto json = metrics.to_json();
  EXPECT_TRUE(json["by_frame"]["psnr"][0].is_null());
  EXPECT_EQ(json["by_frame"]["psnr"][1], second);
  EXPECT_EQ(json["frames"], 3);
}

TEST(ClipMetrics, SayThatClipsAreIdentical) {
  ClipComparison comparison;
  comparison.add(clip(2), clip(2));
  EXPECT_TRUE(comparison.metrics().identical());
  EXPECT_EQ(comparison.metrics().to_json()["identical"], true);
}

TEST(ClipMetrics, RefuseClipsOfDifferentLengths) {
  ClipComparison comparison;
  EXPECT_NE(testing::error_of<ShapeError>([&] { comparison.add(clip(2), clip(3)); }), "");
}

}  // namespace
}  // namespace reel::eval
