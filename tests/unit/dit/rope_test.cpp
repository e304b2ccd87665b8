#include "dit/rope.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/dit/golden_case.h"

namespace reel::dit::testing {
namespace {

TEST(Rope, TurnsEachAxisByItsOwnPosition) {
  const Config config = golden_config("tiny_b");  // axes 16, 56, 56; theta 256
  const Rope rope = make_rope(config, {2, 3, 4}, at::kCPU);
  ASSERT_EQ(rope.num_tokens(), 24);
  ASSERT_EQ(rope.cos.sizes(), at::IntArrayRef({24, 64}));
  const int64_t token = (1 * 3 + 2) * 4 + 3;  // t = 1, y = 2, x = 3
  const auto expect_angle = [&](int64_t column, double angle) {
    EXPECT_NEAR(rope.cos[token][column].item<double>(), std::cos(angle), 1e-6) << column;
    EXPECT_NEAR(rope.sin[token][column].item<double>(), std::sin(angle), 1e-6) << column;
  };
  expect_angle(0, 1.0);
  expect_angle(1, 0.5);  // theta^(-2 / 16) is exactly a half
  expect_angle(7, 1.0 / 128);
  expect_angle(8, 2.0);  // first of y
  expect_angle(9, 2.0 * std::exp2(-2.0 / 7));
  expect_angle(36, 3.0);  // first of x
  expect_angle(63, 3.0 * std::exp2(-2.0 * 27 / 7));
}

TEST(Rope, DoesNotTurnTheFirstToken) {
  const Rope rope = make_rope(golden_config("head_dim_64"), {3, 2, 5}, at::kCPU);
  EXPECT_TRUE(rope.cos[0].eq(1).all().item<bool>());
  EXPECT_TRUE(rope.sin[0].eq(0).all().item<bool>());
}

}  // namespace
}  // namespace reel::dit::testing
