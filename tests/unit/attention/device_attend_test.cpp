// The attention kernels against attention written out in double precision, in all variants.
#include "attention/device_attend.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "tests/support/gpu.h"

namespace reel::attention {
namespace {

using kernels::AttendVariant;

constexpr double kNegativeInfinity = -std::numeric_limits<double>::infinity();

struct Inputs {
  at::Tensor q, k, v;  // [B, S, A, D]
};

// Skips unless a GPU is there that the Hopper kernel runs on.
#define REEL_REQUIRE_HOPPER()                                  \
  REEL_REQUIRE_GPU();                                          \
  if (!fits_attend_sm90(probe(), probe(), probe())) {          \
    GTEST_SKIP() << "the kernel needs compute capability 9.0"; \
  }

// Skips unless a GPU is there that the variant of the test runs on.
#define REEL_REQUIRE_GPU_OF(variant)                                 \
  REEL_REQUIRE_GPU();                                                \
  if (!runs_here(variant)) {                                         \
    GTEST_SKIP() << name_of(variant) << " does not run on this GPU"; \
  }

at::TensorOptions gpu(at::ScalarType dtype) {
  return at::TensorOptions(dtype).device(at::kCUDA);
}

at::Tensor probe() {
  return at::zeros({1, 1, 1, 64}, gpu(at::kBFloat16));
}

bool runs_here(AttendVariant variant) {
  const bool portable = variant == AttendVariant::kMma || variant == AttendVariant::kMmaWide;
  return portable ? fits_attend_mma(probe(), probe(), probe())
                  : fits_attend_sm90(probe(), probe(), probe());
}

// As a fused projection gives them: q, k and v are slices of rows of 3 A D elements.
Inputs fused_inputs(int64_t batch, int64_t tokens, int64_t heads, int64_t dim, at::ScalarType dtype,
                    int64_t seed = 1) {
  at::Generator generator = at::globalContext().defaultGenerator(at::kCUDA);
  generator.set_current_seed(static_cast<uint64_t>(seed));
  const at::Tensor all = at::randn({batch, tokens, 3, heads, dim}, gpu(dtype));
  return {all.select(2, 0), all.select(2, 1), all.select(2, 2)};
}

// [B, A, S, D] in memory.
Inputs heads_outside(const Inputs& inputs) {
  const auto move = [](const at::Tensor& x) {
    return x.transpose(1, 2).contiguous().transpose(1, 2);
  };
  return {move(inputs.q), move(inputs.k), move(inputs.v)};
}

int64_t blocks_of(const at::Tensor& q) {
  return (q.size(1) + 127) / 128;
}

struct Expected {
  at::Tensor out;  // [B, S, A, D] fp32
  at::Tensor lse;  // [B, A, S]
};

// One head at a time; `mask` [B * A, n, n] bool or undefined.
Expected attend_in_fp32(const Inputs& inputs, const at::Tensor& mask, bool causal) {
  const auto sizes = inputs.q.sizes();
  Expected expected = {at::empty(sizes, gpu(at::kFloat)),
                       at::empty({sizes[0], sizes[2], sizes[1]}, gpu(at::kFloat))};
  for (int64_t b = 0; b < sizes[0]; ++b) {
    for (int64_t a = 0; a < sizes[2]; ++a) {
      const auto head = [&](const at::Tensor& x) { return x[b].select(1, a).to(at::kDouble); };
      at::Tensor logits =
          at::matmul(head(inputs.q), head(inputs.k).t()) / std::sqrt(static_cast<double>(sizes[3]));
      at::Tensor seen = at::ones_like(logits, at::kBool);
      if (causal) seen = seen.tril();
      if (mask.defined()) {
        seen = seen.logical_and(mask[b * sizes[2] + a]
                                    .repeat_interleave(128, 0)
                                    .repeat_interleave(128, 1)
                                    .slice(0, 0, sizes[1])
                                    .slice(1, 0, sizes[1]));
      }
      logits.masked_fill_(seen.logical_not(), kNegativeInfinity);
      const at::Tensor lse = at::logsumexp(logits, 1);
      const at::Tensor weights =
          at::exp(logits - lse.unsqueeze(1)).masked_fill(seen.logical_not(), 0.0);
      expected.out[b].select(1, a).copy_(at::matmul(weights, head(inputs.v)));
      expected.lse[b][a].copy_(lse);
    }
  }
  return expected;
}

DeviceLists lists_of(const at::Tensor& mask) {
  const DevicePlan plan = DevicePlan::of_mask(mask.to(at::kByte));
  return {plan.keys, plan.counts};
}

double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor difference = actual.to(at::kDouble) - expected.to(at::kDouble);
  return (difference.norm() / expected.to(at::kDouble).norm()).item<double>();
}

double largest_error(const at::Tensor& actual, const at::Tensor& expected) {
  // equal infinities differ by nothing
  const at::Tensor same = actual.eq(expected);
  return (actual.to(at::kDouble) - expected.to(at::kDouble))
      .abs()
      .masked_fill(same, 0.0)
      .max()
      .item<double>();
}

void expect_close(const DeviceAttendResult& result, const Expected& expected) {
  EXPECT_LE(relative_error(result.out, expected.out), 3e-3);
  EXPECT_LE(largest_error(result.lse, expected.lse), 2e-3);
}

at::Tensor random_mask(const at::Tensor& q, double density, bool causal) {
  const int64_t n = blocks_of(q);
  at::Tensor mask = at::rand({q.size(0) * q.size(2), n, n}, gpu(at::kFloat)).lt(density);
  if (causal) mask = mask.tril();
  return mask;
}

struct Case {
  AttendVariant variant;
  int64_t dim;
};

class DeviceAttendGpu : public ::testing::TestWithParam<Case> {
 protected:
  static DeviceAttendResult attend(const Inputs& inputs, const at::Tensor& mask, bool causal) {
    std::optional<DeviceLists> lists;
    if (mask.defined()) lists = lists_of(mask);
    return attend_on_device(inputs.q, inputs.k, inputs.v, lists, causal, GetParam().variant);
  }
};

TEST_P(DeviceAttendGpu, OneBlockIsDenseAttention) {
  REEL_REQUIRE_GPU_OF(GetParam().variant);
  const Inputs inputs = fused_inputs(1, 128, 1, GetParam().dim, at::kBFloat16);
  expect_close(attend(inputs, {}, false), attend_in_fp32(inputs, {}, false));
}

TEST_P(DeviceAttendGpu, AnyLengthIsDenseAttention) {
  REEL_REQUIRE_GPU_OF(GetParam().variant);
  for (const int64_t tokens : {1, 127, 129, 256, 384, 1000, 4103}) {
    SCOPED_TRACE(tokens);
    const Inputs inputs = fused_inputs(1, tokens, 3, GetParam().dim, at::kBFloat16);
    expect_close(attend(inputs, {}, false), attend_in_fp32(inputs, {}, false));
  }
}

TEST_P(DeviceAttendGpu, CausalRowsSeeThemselvesAndEarlierTokens) {
  REEL_REQUIRE_GPU_OF(GetParam().variant);
  for (const int64_t tokens : {1, 127, 129, 1000, 2304}) {
    SCOPED_TRACE(tokens);
    const Inputs inputs = fused_inputs(1, tokens, 2, GetParam().dim, at::kBFloat16);
    expect_close(attend(inputs, {}, true), attend_in_fp32(inputs, {}, true));
  }
}

TEST_P(DeviceAttendGpu, ListedBlocksAloneAreSeen) {
  REEL_REQUIRE_GPU_OF(GetParam().variant);
  for (const double density : {0.02, 0.3, 1.0}) {
    SCOPED_TRACE(density);
    const Inputs inputs = fused_inputs(2, 4103, 5, GetParam().dim, at::kBFloat16);
    const at::Tensor mask = random_mask(inputs.q, density, false);
    expect_close(attend(inputs, mask, false), attend_in_fp32(inputs, mask, false));
  }
}

TEST_P(DeviceAttendGpu, CausalListsMayLeaveOutTheDiagonal) {
  REEL_REQUIRE_GPU_OF(GetParam().variant);
  const Inputs inputs = fused_inputs(1, 1700, 3, GetParam().dim, at::kBFloat16);
  const at::Tensor mask = random_mask(inputs.q, 0.4, true);
  expect_close(attend(inputs, mask, true), attend_in_fp32(inputs, mask, true));
}

TEST_P(DeviceAttendGpu, EmptyListGivesZerosAndMinusInfinity) {
  REEL_REQUIRE_GPU_OF(GetParam().variant);
  const Inputs inputs = fused_inputs(1, 1000, 2, GetParam().dim, at::kBFloat16);
  at::Tensor mask = random_mask(inputs.q, 0.5, false);
  mask[1][3].fill_(false);
  const auto result = attend(inputs, mask, false);
  EXPECT_EQ(result.out[0].slice(0, 384, 512).select(1, 1).abs().max().item<double>(), 0.0);
  EXPECT_TRUE(result.lse[0][1].slice(0, 384, 512).isneginf().all().item<bool>());
  expect_close(result, attend_in_fp32(inputs, mask, false));
}

TEST_P(DeviceAttendGpu, HeadsOutsideTokensGiveTheSameBits) {
  REEL_REQUIRE_GPU_OF(GetParam().variant);
  const Inputs inputs = fused_inputs(2, 700, 3, GetParam().dim, at::kBFloat16);
  const auto strided = attend(inputs, {}, false);
  const auto packed = attend(heads_outside(inputs), {}, false);
  EXPECT_TRUE(at::equal(strided.out, packed.out));
  EXPECT_TRUE(at::equal(strided.lse, packed.lse));
}

TEST_P(DeviceAttendGpu, RepeatsGiveTheSameBits) {
  REEL_REQUIRE_GPU_OF(GetParam().variant);
  const Inputs inputs = fused_inputs(1, 20'000, 7, GetParam().dim, at::kBFloat16);
  const at::Tensor mask = random_mask(inputs.q, 0.2, false);
  const auto first = attend(inputs, mask, false);
  for (int i = 0; i < 5; ++i) {
    const auto again = attend(inputs, mask, false);
    ASSERT_TRUE(at::equal(first.out, again.out));
    ASSERT_TRUE(at::equal(first.lse, again.lse));
  }
}

TEST_P(DeviceAttendGpu, LargeLogitsStayFinite) {
  REEL_REQUIRE_GPU_OF(GetParam().variant);
  Inputs inputs = fused_inputs(1, 1500, 2, GetParam().dim, at::kBFloat16);
  inputs.q.mul_(20.0);  // logits of +-100: one key takes nearly everything
  const auto result = attend(inputs, {}, false);
  const Expected expected = attend_in_fp32(inputs, {}, false);
  EXPECT_TRUE(result.out.isfinite().all().item<bool>());
  EXPECT_LE(relative_error(result.out, expected.out), 5e-3);
}

TEST_P(DeviceAttendGpu, NanInAKeyShowsInEveryRowThatSeesIt) {
  REEL_REQUIRE_GPU_OF(GetParam().variant);
  Inputs inputs = fused_inputs(1, 512, 1, GetParam().dim, at::kBFloat16);
  inputs.k[0][200][0][5] = std::nan("");
  at::Tensor mask = at::ones({1, 4, 4}, gpu(at::kBool));
  mask[0][2][1] = false;
  const auto result = attend(inputs, mask, false);
  const at::Tensor broken = result.out[0].isnan().all(2).select(1, 0);
  EXPECT_TRUE(broken.slice(0, 0, 256).all().item<bool>());
  EXPECT_FALSE(result.out[0].slice(0, 256, 384).isnan().any().item<bool>());
}

TEST_P(DeviceAttendGpu, NothingOutsideTheTensorsIsReadOrWritten) {
  REEL_REQUIRE_GPU_OF(GetParam().variant);
  // NaN before and after the tokens of a slice must not reach the result
  const int64_t dim = GetParam().dim;
  const at::Tensor all = at::full({1, 600, 3, 2, dim}, std::nan(""), gpu(at::kBFloat16));
  all.slice(1, 100, 400).normal_();
  const at::Tensor inside = all.slice(1, 100, 400);
  const Inputs inputs = {inside.select(2, 0), inside.select(2, 1), inside.select(2, 2)};
  expect_close(attend(inputs, {}, false), attend_in_fp32(inputs, {}, false));
}

TEST_P(DeviceAttendGpu, SampledRowsOfAFullVideoAreRight) {
  REEL_REQUIRE_GPU_OF(GetParam().variant);
  for (const int64_t text : {0, 17, 256}) {
    SCOPED_TRACE(text);
    const int64_t tokens = 118'800 + text;
    const Inputs inputs = fused_inputs(1, tokens, 2, GetParam().dim, at::kBFloat16);
    at::Tensor mask = random_mask(inputs.q, 0.1, false);
    mask.select(2, mask.size(2) - 1).fill_(true);
    const auto result = attend(inputs, mask, false);
    for (const int64_t query : {int64_t{0}, int64_t{517}, mask.size(1) - 1}) {
      const int64_t first = query * 128;
      const int64_t last = std::min(first + 128, tokens);
      const at::Tensor seen = mask[1][query].repeat_interleave(128).slice(0, 0, tokens);
      const auto head = [](const at::Tensor& x) { return x[0].select(1, 1).to(at::kFloat); };
      at::Tensor logits = at::matmul(head(inputs.q).slice(0, first, last), head(inputs.k).t()) /
                          std::sqrt(static_cast<double>(GetParam().dim));
      logits.masked_fill_(seen.logical_not(), kNegativeInfinity);
      const at::Tensor out = at::matmul(at::softmax(logits, 1), head(inputs.v));
      EXPECT_LE(relative_error(result.out[0].slice(0, first, last).select(1, 1), out), 3e-3);
      EXPECT_LE(largest_error(result.lse[0][1].slice(0, first, last), at::logsumexp(logits, 1)),
                2e-3);
    }
  }
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const auto variant :
       {AttendVariant::kSimple, AttendVariant::kOverlap, AttendVariant::kPingPong,
        AttendVariant::kLazy, AttendVariant::kThreeStage, AttendVariant::kRelaxed,
        AttendVariant::kMma, AttendVariant::kMmaWide}) {
    cases.push_back({variant, 64});
    cases.push_back({variant, 128});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Variants, DeviceAttendGpu, ::testing::ValuesIn(all_cases()),
                         [](const auto& one) {
                           return name_of(one.param.variant) + "_d" + std::to_string(one.param.dim);
                         });

TEST(DeviceAttendHalfGpu, Fp16IsMorePreciseThanBf16) {
  REEL_REQUIRE_HOPPER();
  for (const int64_t dim : {64, 128}) {
    const Inputs inputs = fused_inputs(1, 1000, 3, dim, at::kHalf);
    const Expected expected = attend_in_fp32(inputs, {}, false);
    for (const auto variant :
         {AttendVariant::kLazy, AttendVariant::kMma, AttendVariant::kMmaWide}) {
      SCOPED_TRACE(name_of(variant));
      const auto result = attend_on_device(inputs.q, inputs.k, inputs.v, {}, false, variant);
      EXPECT_LE(relative_error(result.out, expected.out), 5e-4);
      EXPECT_LE(largest_error(result.lse, expected.lse), 2e-3);
    }
  }
}

TEST(DeviceAttendHalfGpu, OffsetsBeyondTwoToThe31Work) {
  REEL_REQUIRE_HOPPER();
  // 1.4 million rows of 24 * 64 elements lie between the two halves of the batch
  const at::Tensor all = at::empty({2, 1'400'001, 24, 64}, gpu(at::kBFloat16));
  const at::Tensor tail = all.slice(1, 1'400'001 - 300, 1'400'001);
  tail.normal_();
  const auto far = attend_on_device(tail, tail, tail, {}, false);
  const at::Tensor near = tail.contiguous();
  const auto expected = attend_on_device(near, near, near, {}, false);
  EXPECT_TRUE(at::equal(far.out, expected.out));
  EXPECT_TRUE(at::equal(far.lse, expected.lse));
}

TEST(DeviceAttendHalfGpu, RefusesWhatTheKernelCannotRead) {
  REEL_REQUIRE_HOPPER();
  const at::Tensor odd = at::zeros({1, 10, 1, 128 + 2}, gpu(at::kBFloat16)).slice(3, 1, 129);
  try {
    attend_on_device(odd, odd, odd, {}, false);
    FAIL() << "misaligned rows were accepted";
  } catch (const ShapeError& error) {
    EXPECT_NE(std::string(error.what()).find("do not fit the kernel"), std::string::npos);
  }
}

TEST(AttendVariants, NothingOnACpuFits) {
  const at::Tensor x = at::zeros({1, 1, 1, 64}, at::kBFloat16);
  EXPECT_FALSE(fits_attend_sm90(x, x, x));
  EXPECT_FALSE(fits_attend_mma(x, x, x));
}

TEST(AttendVariants, NamesCanBeParsedBack) {
  for (const Case& one : all_cases()) {
    EXPECT_EQ(parse_attend_variant(name_of(one.variant)), one.variant);
  }
  EXPECT_THROW(parse_attend_variant("fastest"), ConfigError);
}

}  // namespace
}  // namespace reel::attention
