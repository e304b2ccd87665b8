// The fused loops against LibTorch's operators in double precision.
#include "vae/fused_conv.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/random.h"
#include "tests/support/compare.h"
#include "vae/causal_conv3d.h"
#include "vae/config.h"
#include "vae/row_kernels.h"
#include "vae/upsample_conv.h"

namespace reel::vae {
namespace {

using reel::testing::relative_error;

constexpr double kBound = 5e-6;  // sums of up to 3,510 products in fp32

at::Tensor exact_conv(const at::Tensor& padded, const at::Tensor& weight, const at::Tensor& bias,
                      at::IntArrayRef stride) {
  return at::conv3d(padded.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), stride);
}

struct Widths {
  int64_t in;
  int64_t out;
};

class FusedConv : public ::testing::TestWithParam<Widths> {
 protected:
  // Weights of unit output variance.
  at::Tensor weight(int64_t taps) {
    const auto [in, out] = GetParam();
    const double fan_in = static_cast<double>(in * taps * taps * taps);
    return stream_.next({out, in, taps, taps, taps}) / std::sqrt(fan_in);
  }

  NormalStream stream_{17};
};

TEST_P(FusedConv, EqualsAPaddedConvolutionPlusResidual) {
  const auto [in, out] = GetParam();
  for (const int64_t width : {1, 4, 13, 30}) {
    const auto x = stream_.next({2, in, 4, 3, width});
    const auto w = weight(3);
    const auto bias = stream_.next({out});
    const auto residual = stream_.next({2, out, 4, 3, width});
    const auto got = convolve_causally(pad_columns(x), PackedConv(w, bias), {}, residual);
    const auto want = exact_conv(pad_causally(x), w, bias, {1, 1, 1}) + residual;
    EXPECT_LE(relative_error(got, want), kBound) << width;
  }
}

TEST_P(FusedConv, EqualsAStridedConvolution) {
  const auto [in, out] = GetParam();
  const auto w = weight(3);
  const auto bias = stream_.next({out});
  for (const int64_t time : {1, 2}) {
    const auto x = stream_.next({1, in, 5, 4, 10});
    const auto got =
        convolve_causally(pad_columns(x), PackedConv(w, bias), {.time = time, .space = 2}, {});
    EXPECT_LE(relative_error(got, exact_conv(pad_causally(x), w, bias, {time, 2, 2})), kBound);
  }
}

TEST_P(FusedConv, EqualsAPointwiseConvolutionOfAStridedView) {
  const auto [in, out] = GetParam();
  const auto w = weight(1);
  const auto bias = stream_.next({out});
  const auto x = stream_.next({1, in, 3, 7, 5}).transpose(3, 4);
  EXPECT_LE(
      relative_error(convolve_pointwise(x, PackedConv(w, bias)), exact_conv(x, w, bias, {1, 1, 1})),
      kBound);
}

TEST_P(FusedConv, FoldsTheUpsamplingIntoItsWeights) {
  const int64_t channels = GetParam().out;
  const auto w =
      stream_.next({channels, channels, 3, 3, 3}) / std::sqrt(static_cast<double>(27 * channels));
  const auto bias = stream_.next({channels});
  for (const ScaleFactor factor : {ScaleFactor{1, 2}, ScaleFactor{2, 2}}) {
    for (const int64_t frames : {1, 2, 4}) {
      const auto x = stream_.next({2, channels, frames, 3, 5});
      const auto got = FoldedUpsampleConv(w, bias, factor).forward(pad_columns(x));
      const auto want = exact_conv(pad_causally(upsample_nearest(x, factor)), w, bias, {1, 1, 1});
      EXPECT_LE(relative_error(got, want), kBound) << frames;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, FusedConv,
                         ::testing::Values(Widths{3, 24}, Widths{24, 3}, Widths{16, 64},
                                           Widths{5, 40}, Widths{8, 7}, Widths{20, 130}),
                         [](const auto& parameter) {
                           return std::to_string(parameter.param.in) + "To" +
                                  std::to_string(parameter.param.out);
                         });

TEST(NormSiluColumns, EqualsGroupNormAndSilu) {
  NormalStream stream(3);
  const auto weight = stream.next({24});
  const auto bias = stream.next({24});
  for (const double offset : {0.0, 30.0}) {
    const auto x = stream.next({2, 24, 3, 5, 37}) + offset;
    const auto want = at::silu(at::group_norm(x.to(at::kDouble), 4, weight.to(at::kDouble),
                                              bias.to(at::kDouble), kGroupNormEpsilon));
    const auto got = norm_silu_columns(x, weight, bias, 4);
    const auto inside = got.narrow(3, 1, 37).permute({0, 4, 1, 2, 3});
    EXPECT_LE(relative_error(inside, want), offset == 0.0 ? 1e-6 : 1e-5) << offset;
    EXPECT_TRUE(at::equal(got.select(3, 0), got.select(3, 1)));
    EXPECT_TRUE(at::equal(got.select(3, 38), got.select(3, 37)));
  }
}

TEST(NormSiluColumns, NormalisesBatchItemsApart) {
  NormalStream stream(4);
  const auto x = stream.next({2, 8, 2, 3, 4});
  x.select(0, 1).mul_(50.0).add_(7.0);
  const auto weight = stream.next({8});
  const auto bias = stream.next({8});
  const auto both = norm_silu_columns(x, weight, bias, 2);
  EXPECT_TRUE(at::equal(both.narrow(0, 1, 1),
                        norm_silu_columns(x.narrow(0, 1, 1).clone(), weight, bias, 2)));
}

TEST(NormSiluColumns, NeverHidesANumberThatIsNotFinite) {
  const auto x = at::ones({1, 8, 1, 2, 2});
  x[0][3][0][1][1] = std::numeric_limits<float>::quiet_NaN();
  const auto got = norm_silu_columns(x, at::ones({8}), at::zeros({8}), 2);
  EXPECT_TRUE(got.isnan().any().item<bool>());
}

// Every instruction set that this machine has, whichever row_kernels() prefers.
std::vector<const RowKernels*> runnable_kernels() {
  std::vector<const RowKernels*> kernels = {&kRowKernelsAvx2};
  if (__builtin_cpu_supports("avx512f")) kernels.push_back(&kRowKernelsAvx512);
  return kernels;
}

TEST(RowKernels, EveryInstructionSetComputesTheSameConvolution) {
  NormalStream stream(5);
  constexpr int64_t kPixels = 31;
  constexpr int64_t kIn = 6;
  for (const int64_t out_channels : {1, 8, 9, 16, 24, 40, 48, 64, 72, 112}) {
    const auto x = stream.next({kPixels + 2, kIn});
    const auto w = stream.next({out_channels, kIn, 1, 1, 3});
    const auto bias = stream.next({out_channels});
    const PackedConv packed(w, bias);
    const auto want = exact_conv(x.t().reshape({1, kIn, 1, 1, kPixels + 2}), w, bias, {1, 1, 1});
    const auto* row = x.const_data_ptr<float>();
    for (const auto* kernels : runnable_kernels()) {
      // A gap of one channel between pixels must stay untouched.
      const auto out = at::full({kPixels, out_channels + 1}, 5.0F);
      kernels->conv({.rows = &row,
                     .num_rows = packed.num_rows(),
                     .run = packed.run(),
                     .in_step = kIn,
                     .weight = packed.weight(),
                     .bias = packed.bias(),
                     .out_channels = out_channels,
                     .residual = nullptr,
                     .out = out.mutable_data_ptr<float>(),
                     .out_step = out_channels + 1,
                     .num_pixels = kPixels});
      const auto got = out.narrow(1, 0, out_channels).t().reshape(want.sizes());
      EXPECT_LE(relative_error(got, want), kBound) << out_channels;
      EXPECT_TRUE(at::equal(out.select(1, out_channels), at::full({kPixels}, 5.0F)));
    }
  }
}

TEST(RowKernels, SiluIsExactOverTheWholeRange) {
  const auto x =
      at::cat({at::linspace(-110, 110, 20'001), at::tensor({0.0F, -0.0F, 1e30F, -1e30F})});
  const float one = 1.0F;
  const float zero = 0.0F;
  const auto want = at::silu(x.to(at::kDouble));
  for (const auto* kernels : runnable_kernels()) {
    const auto out = at::empty_like(x);
    kernels->norm_silu({.x = x.const_data_ptr<float>(),
                        .scale = &one,
                        .shift = &zero,
                        .channels = 1,
                        .num_pixels = x.numel(),
                        .out = out.mutable_data_ptr<float>()});
    const auto error = (out.to(at::kDouble) - want).abs() / want.abs().clamp_min(1e-30);
    const auto normal = x.narrow(0, 0, 20'001).abs().lt(80.0);
    EXPECT_LE(error.narrow(0, 0, 20'001).masked_select(normal).max().item<double>(), 3e-7);
    EXPECT_LE((out.to(at::kDouble) - want).abs().narrow(0, 0, 20'001).max().item<double>(), 1e-5);
    EXPECT_EQ(out[20'003].item<float>(), 1e30F);
    EXPECT_LE(std::abs(out[20'004].item<float>()), 1e-6F);
  }
}

}  // namespace
}  // namespace reel::vae
