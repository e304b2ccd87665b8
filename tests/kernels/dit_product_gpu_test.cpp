// Matrix products with an epilogue against product and pass apart.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "dit/fused_linear.h"
#include "dit/gpu_product.h"
#include "dit/linear.h"
#include "tests/support/compare.h"
#include "tests/support/gpu.h"

namespace reel::dit {
namespace {

using reel::testing::relative_error;

struct ProductSizes {
  int64_t rows, in, out;
};

constexpr ProductSizes kSizes[] = {{300, 64, 128}, {1000, 192, 72}, {5000, 3072, 384}, {1, 64, 64}};

class ProductOnGpu : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  static at::Tensor draw(at::IntArrayRef shape, int64_t seed) {
    at::manual_seed(static_cast<uint64_t>(seed));
    return at::randn(shape).to(at::TensorOptions(GetParam()).device(at::kCUDA));
  }

  static Linear draw_linear(const ProductSizes& sizes) {
    const double scale = 1.0 / std::sqrt(static_cast<double>(sizes.in));
    return {draw({sizes.out, sizes.in}, 1).mul_(scale), draw({sizes.out}, 2)};
  }

  static at::Tensor exact(const Linear& linear, const at::Tensor& x) {
    return at::linear(x.to(at::kDouble), linear.weight().to(at::kDouble),
                      linear.bias().to(at::kDouble));
  }
};

TEST_P(ProductOnGpu, GeluInTheEpilogueIsNoWorseThanInAPassOfItsOwn) {
  REEL_REQUIRE_GPU();
  for (const auto& sizes : kSizes) {
    SCOPED_TRACE(std::to_string(sizes.rows) + " rows");
    const Linear linear = draw_linear(sizes);
    const at::Tensor x = draw({sizes.rows, sizes.in}, 3);
    const at::Tensor all = at::full({sizes.rows, sizes.out + 16}, 9.0, x.options());
    const at::Tensor fused = all.narrow(1, 16, sizes.out);  // rows lie apart
    ASSERT_TRUE(gpu::fits_product(x, linear.weight(), linear.bias(), fused));
    ASSERT_TRUE(gpu::product_gelu(x, linear.weight(), linear.bias(), fused));
    const at::Tensor plain = at::gelu(linear(x), "tanh");
    const at::Tensor want = at::gelu(exact(linear, x), "tanh");
    EXPECT_LE(relative_error(fused, want), 2 * relative_error(plain, want));
    EXPECT_TRUE(all.narrow(1, 0, 16).eq(9.0).all().item<bool>());
  }
}

TEST_P(ProductOnGpu, AddsToWhatTheOutputHolds) {
  REEL_REQUIRE_GPU();
  for (const auto& sizes : kSizes) {
    SCOPED_TRACE(std::to_string(sizes.rows) + " rows");
    const Linear linear = draw_linear(sizes);
    const at::Tensor x = draw({sizes.rows, sizes.in + 8}, 4).narrow(1, 8, sizes.in);
    const at::Tensor before = draw({sizes.rows, sizes.out}, 5);
    const at::Tensor fused = before.clone();
    ASSERT_TRUE(gpu::fits_product(x, linear.weight(), linear.bias(), fused));
    ASSERT_TRUE(gpu::add_product_(fused, x, linear.weight(), linear.bias()));
    const at::Tensor plain = before + linear(x);
    const at::Tensor want = before.to(at::kDouble) + exact(linear, x);
    EXPECT_LE(relative_error(fused, want), 2 * relative_error(plain, want));
  }
}

// Small gates, as trained models have, and large ones: the update must not lose to the sum.
TEST_P(ProductOnGpu, AFoldedGateIsNoWorseThanAGateOfTheResult) {
  REEL_REQUIRE_GPU();
  const ProductSizes sizes = {5000, 3072, 384};
  const Linear linear = draw_linear(sizes);
  const at::Tensor x = draw({sizes.rows, sizes.in}, 6);
  for (const double scale : {0.01, 1.0, 8.0}) {
    SCOPED_TRACE(scale);
    const at::Tensor gate = draw({sizes.out}, 7) * scale;
    const at::Tensor before = draw({sizes.rows, sizes.out}, 8) * scale;
    const at::Tensor fused = before.clone();
    const at::Tensor scratch = at::full_like(before, 9.0);
    add_gated_linear(linear, x, gate, scratch, fused);
    // fp16 keeps the pass of its own
    EXPECT_EQ(scratch.eq(9.0).all().item<bool>(), GetParam() == at::kBFloat16);
    const at::Tensor plain = at::addcmul(before, linear(x), gate);
    const at::Tensor want = before.to(at::kDouble) + gate.to(at::kDouble) * exact(linear, x);
    EXPECT_LE(relative_error(fused, want), 2 * relative_error(plain, want));
  }
}

TEST_P(ProductOnGpu, OddSizesAreLeftToLibTorch) {
  REEL_REQUIRE_GPU();
  const Linear linear = draw_linear({40, 12, 20});
  const at::Tensor x = draw({40, 12}, 9);
  const at::Tensor out = at::empty({40, 20}, x.options());
  EXPECT_FALSE(gpu::fits_product(x, linear.weight(), linear.bias(), out));
  linear_gelu(linear, x, out);
  EXPECT_LE(relative_error(out, at::gelu(exact(linear, x), "tanh")), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Dtype, ProductOnGpu, ::testing::Values(at::kBFloat16, at::kHalf),
                         [](const auto& one) {
                           return std::string(one.param == at::kHalf ? "fp16" : "bf16");
                         });

}  // namespace
}  // namespace reel::dit
