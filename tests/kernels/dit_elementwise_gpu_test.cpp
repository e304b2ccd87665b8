// The transformer's element-wise kernels against the plain formulas in fp32.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "dit/elementwise.h"
#include "dit/elementwise_gpu.h"
#include "tests/support/gpu.h"

namespace reel::dit {
namespace {

// One rounding to a 16-bit dtype, and what fp32 loses where terms cancel.
void expect_rounded_once(const at::Tensor& got, const at::Tensor& want) {
  const double unit = got.scalar_type() == at::kHalf ? 0x1p-11 : 0x1p-8;
  const at::Tensor error = (got.to(at::kDouble) - want.to(at::kDouble)).abs();
  const at::Tensor bound = want.to(at::kDouble).abs() * (1.05 * unit) + 2e-5;
  EXPECT_EQ(error.gt(bound).sum().item<int64_t>(), 0) << "largest " << error.max().item<double>();
}

class ElementwiseOnGpu : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  static at::Tensor draw(at::IntArrayRef shape, int64_t seed) {
    at::manual_seed(static_cast<uint64_t>(seed));
    return at::randn(shape).to(at::TensorOptions(GetParam()).device(at::kCUDA));
  }
};

TEST_P(ElementwiseOnGpu, LayerNormsAreThoseOfThePlainFormula) {
  REEL_REQUIRE_GPU();
  for (const int64_t width : {8, 192, 1024, 1032, 3072, 4096}) {
    SCOPED_TRACE(width);
    const at::Tensor x = draw({37, width}, 1) * 3 + 1;
    const at::Tensor vectors = draw({2, width}, 2);
    const at::Tensor out = at::full({37, 2 * width}, 9.0, x.options());  // rows lie apart
    const at::Tensor left = out.narrow(1, 0, width);
    ASSERT_TRUE(gpu::fits_rows(x, vectors[0], vectors[1], left));
    layer_norm_modulate(x, vectors[0], vectors[1], left);
    const at::Tensor want = at::empty({37, width}, x.options().dtype(at::kFloat));
    plain::layer_norm_modulate(x.to(at::kFloat), vectors[0].to(at::kFloat),
                               vectors[1].to(at::kFloat), want);
    expect_rounded_once(left, want);
    EXPECT_TRUE(out.narrow(1, width, width).eq(9.0).all().item<bool>());
    layer_norm_modulate(x, vectors[0], vectors[1], x);  // in place
    EXPECT_TRUE(at::equal(x, left));
  }
}

TEST_P(ElementwiseOnGpu, HeadsAreNormalisedAndImageTokensRotated) {
  REEL_REQUIRE_GPU();
  constexpr int64_t kTokens = 1003;
  constexpr int64_t kImage = 900;
  for (const int64_t head_dim : {64, 128}) {
    for (const int64_t num_heads : {1, 3, 24}) {
      SCOPED_TRACE(std::to_string(num_heads) + " x " + std::to_string(head_dim));
      const at::Tensor qkv = draw({kTokens, 3, num_heads, head_dim}, 3);
      const at::Tensor before = qkv.clone();
      const at::Tensor weight = draw({head_dim}, 4);
      const at::Tensor angle = draw({kImage, head_dim / 2}, 5).to(at::kFloat);
      const Rope rope = {angle.cos(), angle.sin()};
      ASSERT_TRUE(gpu::fits_heads(qkv.select(1, 0), weight));
      qk_norm_rope_(qkv.select(1, 0), weight, rope);
      qk_norm_(qkv.select(1, 1), weight);
      const at::Tensor want = before.to(at::kFloat);
      plain::qk_norm_rope_(want.select(1, 0), weight.to(at::kFloat), rope);
      plain::qk_norm_(want.select(1, 1), weight.to(at::kFloat));
      expect_rounded_once(qkv.select(1, 0), want.select(1, 0));
      expect_rounded_once(qkv.select(1, 1), want.select(1, 1));
      EXPECT_TRUE(at::equal(qkv.select(1, 2), before.select(1, 2)));  // v is left alone
    }
  }
}

TEST_P(ElementwiseOnGpu, QueriesAndKeysTogetherAreThoseOneByOne) {
  REEL_REQUIRE_GPU();
  constexpr int64_t kTokens = 1003;
  for (const int64_t head_dim : {64, 128}) {
    for (const bool rotates : {true, false}) {
      SCOPED_TRACE(std::to_string(head_dim) + (rotates ? " rotated" : ""));
      const at::Tensor joint = draw({kTokens, 3, 5, head_dim}, 12);
      const at::Tensor apart = joint.clone();
      const at::Tensor weight = draw({2, head_dim}, 13);
      const at::Tensor angle = draw({900, head_dim / 2}, 14).to(at::kFloat);
      const Rope rope = {angle.cos(), angle.sin()};
      qk_norms_rope_(joint, weight[0], weight[1], rotates ? &rope : nullptr);
      for (const int64_t part : {0, 1}) {
        const at::Tensor x = apart.select(1, part);
        if (rotates) {
          qk_norm_rope_(x, weight[part], rope);
        } else {
          qk_norm_(x, weight[part]);
        }
      }
      EXPECT_TRUE(at::equal(joint, apart));
    }
  }
}

TEST_P(ElementwiseOnGpu, GeluIsTheTanhApproximation) {
  REEL_REQUIRE_GPU();
  for (const int64_t columns : {8, 768, 12'288}) {
    SCOPED_TRACE(columns);
    const at::Tensor all = draw({21, columns + 16}, 10) * 4;
    const at::Tensor before = all.clone();
    const at::Tensor bias = draw({columns}, 11);
    const at::Tensor x = all.narrow(1, 16, columns);
    ASSERT_TRUE(gpu::fits_gelu(x, bias));
    gpu::bias_gelu_(x, bias);
    const at::Tensor sum = before.narrow(1, 16, columns).to(at::kFloat) + bias.to(at::kFloat);
    expect_rounded_once(x, at::gelu(sum, "tanh"));
    EXPECT_TRUE(at::equal(all.narrow(1, 0, 16), before.narrow(1, 0, 16)));
  }
}

TEST_P(ElementwiseOnGpu, OddShapesAreLeftToThePlainFormulas) {
  REEL_REQUIRE_GPU();
  const at::Tensor x = draw({5, 12}, 6);
  const at::Tensor vectors = draw({2, 12}, 7);
  EXPECT_FALSE(gpu::fits_rows(x, vectors[0], vectors[1], x));
  const at::Tensor out = at::empty_like(x);
  layer_norm_modulate(x, vectors[0], vectors[1], out);
  const at::Tensor want = at::empty_like(x);
  plain::layer_norm_modulate(x, vectors[0], vectors[1], want);
  EXPECT_TRUE(at::equal(out, want));
  EXPECT_FALSE(gpu::fits_heads(draw({5, 2, 96}, 8), draw({96}, 9)));
  EXPECT_FALSE(gpu::fits_heads(x.view({5, 1, 12}).to(at::kFloat), vectors[0]));
}

INSTANTIATE_TEST_SUITE_P(Dtype, ElementwiseOnGpu, ::testing::Values(at::kBFloat16, at::kHalf),
                         [](const auto& one) {
                           return std::string(one.param == at::kHalf ? "fp16" : "bf16");
                         });

}  // namespace
}  // namespace reel::dit
