// The fast loops against the plain formulas, in double precision where rounding is judged.
#include "dit/elementwise.h"

#include <ATen/ops/cos.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/random.h"
#include "dit/fused_linear.h"
#include "tests/support/compare.h"

namespace reel::dit {
namespace {

using reel::testing::relative_error;

constexpr double kBound = 1e-6;

struct Size {
  int64_t rows;
  int64_t width;
};

// Widths around the number of lanes, and enough rows for several threads.
constexpr Size kSizes[] = {{1, 1}, {3, 15}, {5, 16}, {2, 20}, {700, 257}, {64, 3072}};

at::Tensor draw(at::IntArrayRef shape, uint64_t seed) {
  return NormalStream(seed).next(shape);
}

// Rows of `width` numbers with `gap` others between them.
at::Tensor strided_rows(int64_t rows, int64_t width, int64_t gap, uint64_t seed) {
  return draw({rows, width + gap}, seed).narrow(1, 0, width);
}

TEST(LayerNormModulate, EqualsThePlainFormula) {
  for (const auto& [rows, width] : kSizes) {
    // A large mean: a one-pass variance would lose it.
    const at::Tensor x = strided_rows(rows, width, 3, 1) + 10.0;
    const at::Tensor shift = draw({width}, 2);
    const at::Tensor scale = draw({width}, 3);
    at::Tensor want = at::zeros({rows, width}, at::kDouble);
    const at::Tensor wide = x.to(at::kDouble);
    const at::Tensor centred = wide - wide.mean(1, true);
    const at::Tensor variance = centred.square().mean(1, true) + kNormEpsilon;
    want = centred * variance.rsqrt() * (scale.to(at::kDouble) + 1) + shift.to(at::kDouble);

    at::Tensor got = strided_rows(rows, width, 5, 4);
    layer_norm_modulate(x, shift, scale, got);
    EXPECT_LE(relative_error(got, want), 5e-6) << rows << " x " << width;
    at::Tensor plain = at::zeros({rows, width});
    plain::layer_norm_modulate(x, shift, scale, plain);
    EXPECT_LE(relative_error(got, want), 2 * relative_error(plain, want) + kBound);
  }
}

TEST(LayerNormModulate, MayWriteOverItsInput) {
  const at::Tensor x = draw({37, 48}, 1);
  const at::Tensor vector = draw({48}, 2);
  at::Tensor apart = at::zeros_like(x);
  layer_norm_modulate(x, vector, vector, apart);
  layer_norm_modulate(x, vector, vector, x);
  EXPECT_TRUE(x.equal(apart));
}

TEST(LayerNormModulate, SurvivesConstantRows) {
  const at::Tensor x = at::full({4, 32}, 7.0F);
  const at::Tensor shift = draw({32}, 1);
  at::Tensor got = at::zeros_like(x);
  layer_norm_modulate(x, shift, shift, got);
  EXPECT_LE(relative_error(got, shift.expand({4, 32})), kBound);
}

TEST(AddGated, EqualsThePlainFormulaAndLeavesTheGapsAlone) {
  for (const auto& [rows, width] : kSizes) {
    const at::Tensor whole = draw({rows, width + 2}, 1);
    const at::Tensor y = strided_rows(rows, width, 1, 2);
    const at::Tensor gate = draw({width}, 3);
    at::Tensor want = whole.clone();
    plain::add_gated_(want.narrow(1, 0, width), y, gate);
    add_gated_(whole.narrow(1, 0, width), y, gate);
    EXPECT_LE(relative_error(whole, want), kBound);
    EXPECT_TRUE(whole.narrow(1, width, 2).equal(want.narrow(1, width, 2)));
  }
}

Linear draw_linear(int64_t out, int64_t in, at::ScalarType dtype) {
  return {draw({out, in}, 11).to(dtype), draw({out}, 12).to(dtype)};
}

TEST(FusedLinear, AppliesGeluOverItsWholeRange) {
  // The identity as the product: inputs go straight into the activation.
  const at::Tensor x = at::linspace(-120.0, 120.0, 40001, at::kFloat).view({-1, 1});
  const at::Tensor bias = at::full({1}, 0.125F);
  at::Tensor got = at::zeros({x.size(0), 1});
  linear_gelu(Linear(at::ones({1, 1}), bias), x, got);
  const at::Tensor wide = x.to(at::kDouble) + 0.125;
  const at::Tensor want = at::gelu(wide, "tanh");
  const at::Tensor error = (got.to(at::kDouble) - want).abs();
  EXPECT_LE((error / wide.abs().clamp_min(1.0)).max().item<double>(), 3e-7);
}

TEST(FusedLinear, EqualsThePlainFormulas) {
  for (const auto& [rows, width] : kSizes) {
    const at::Tensor x = strided_rows(rows, 40, 3, 1);
    const at::Tensor gate = draw({width}, 2);
    const at::Tensor tokens = draw({rows, width}, 3);
    const Linear linear = draw_linear(width, 40, at::kFloat);
    const at::Tensor product = draw_linear(width, 40, at::kDouble)(x.to(at::kDouble));

    const at::Tensor whole = draw({rows, width + 4}, 5);
    const at::Tensor before = whole.clone();
    linear_gelu(linear, x, whole.narrow(1, 0, width));
    EXPECT_LE(relative_error(whole.narrow(1, 0, width), at::gelu(product, "tanh")), 2e-6);
    EXPECT_TRUE(whole.narrow(1, width, 4).equal(before.narrow(1, width, 4)));

    const at::Tensor want = tokens.to(at::kDouble) + gate.to(at::kDouble) * product;
    const at::Tensor scratch = at::zeros_like(tokens);
    add_gated_linear(linear, x, gate, scratch, tokens);
    EXPECT_LE(relative_error(tokens, want), 2e-6);
  }
}

TEST(FusedLinear, KeepsNonFiniteNumbersVisible) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  at::Tensor got = at::zeros({1, 16});
  linear_gelu(Linear(at::ones({16, 1}), at::zeros({16})), at::full({1, 1}, nan, at::kFloat), got);
  EXPECT_TRUE(got.isnan().all().item<bool>());
}

// q of a [S, 3, A, D] buffer, as the blocks keep it.
at::Tensor draw_q(const at::Tensor& qkv) {
  return qkv.select(1, 0);
}

Rope draw_rope(int64_t num_tokens, int64_t head_dim) {
  const at::Tensor angle = draw({num_tokens, head_dim / 2}, 9);
  return {angle.cos(), angle.sin()};
}

TEST(QkNormRope, EqualsThePlainFormulaAndTouchesOnlyItsPart) {
  struct Shape {
    int64_t tokens, rotated, heads, head_dim;
  };
  for (const auto& [tokens, rotated, heads, head_dim] :
       {Shape{1, 1, 1, 2}, {9, 5, 2, 10}, {300, 277, 3, 128}, {40, 40, 5, 96}, {7, 0, 2, 64}}) {
    const at::Tensor fast = draw({tokens, 3, heads, head_dim}, 1);
    const at::Tensor slow = fast.clone();
    const at::Tensor weight = draw({head_dim}, 2);
    const Rope rope = draw_rope(rotated, head_dim);
    qk_norm_rope_(draw_q(fast), weight, rope);
    plain::qk_norm_rope_(draw_q(slow), weight, rope);
    EXPECT_LE(relative_error(draw_q(fast), draw_q(slow)), kBound) << tokens << ", " << head_dim;
    EXPECT_TRUE(fast.narrow(1, 1, 2).equal(slow.narrow(1, 1, 2)));
  }
}

TEST(QkNormRope, RotatesAdjacentPairs) {
  // A quarter turn sends (x0, x1) to (-x1, x0), in both versions.
  const Rope quarter{at::zeros({1, 2}), at::ones({1, 2})};
  const at::Tensor weight = at::ones({4});
  const auto x = [] { return at::tensor({1.0F, 2.0F, 3.0F, 4.0F}).view({1, 1, 4}); };
  const double scale = 1.0 / std::sqrt(30.0 / 4.0);
  const at::Tensor want = at::tensor({-2.0, 1.0, -4.0, 3.0}).view({1, 1, 4}) * scale;
  const at::Tensor fast = x();
  const at::Tensor slow = x();
  qk_norm_rope_(fast, weight, quarter);
  plain::qk_norm_rope_(slow, weight, quarter);
  EXPECT_LE(relative_error(fast, want), kBound);
  EXPECT_LE(relative_error(slow, want), kBound);
}

TEST(QkNorm, EqualsThePlainFormula) {
  const at::Tensor fast = draw({33, 3, 2, 24}, 1);
  const at::Tensor slow = fast.clone();
  const at::Tensor weight = draw({24}, 2);
  qk_norm_(draw_q(fast), weight);
  plain::qk_norm_(draw_q(slow), weight);
  EXPECT_LE(relative_error(fast, slow), kBound);
}

TEST(Elementwise, RoundsOnceInBf16) {
  const at::Tensor x = draw({50, 3, 2, 64}, 1).to(at::kBFloat16);
  const at::Tensor weight = draw({64}, 2).to(at::kBFloat16);
  const Rope rope = draw_rope(44, 64);
  const at::Tensor exact = draw_q(x).to(at::kDouble);
  plain::qk_norm_rope_(exact, weight.to(at::kDouble), rope);
  qk_norm_rope_(draw_q(x), weight, rope);
  // Half a unit in the last of 8 bits, plus what fp32 adds.
  const at::Tensor error = (draw_q(x).to(at::kDouble) - exact).abs();
  EXPECT_TRUE((error <= exact.abs() * 0.00391 + 1e-6).all().item<bool>());
}

}  // namespace
}  // namespace reel::dit
