#include "attention/explain.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "attention/oracle.h"
#include "core/error.h"
#include "tests/support/compare.h"
#include "tests/unit/attention/implementations.h"

namespace reel::attention {
namespace {

TEST(Explain, LaysOpenEveryBatchItem) {
  const auto one = testing::structured_inputs(700, 2, 64, 1);
  const auto two = testing::structured_inputs(700, 2, 64, 2);
  const ExplainOptions options = {
      .settings = {0.7, 8, 128}, .text_length = 10, .causal = false, .protection = {}};
  const auto got = explain(at::stack({one.q, two.q}), at::stack({one.k, two.k}),
                           at::stack({one.v, two.v}), options);
  EXPECT_EQ(got.mask.sizes(), at::IntArrayRef({2, 2, 6, 6}));
  EXPECT_EQ(got.mask.scalar_type(), at::kByte);
  EXPECT_EQ(got.block_mass.sizes(), at::IntArrayRef({2, 2, 6, 6}));
  EXPECT_EQ(got.out.sizes(), at::IntArrayRef({2, 700, 2, 64}));
  EXPECT_EQ(got.lse.sizes(), at::IntArrayRef({2, 2, 700}));
  const BlockGrid grid = {700, 10, 128, 8};
  for (const auto& [item, inputs] : {std::pair{0, one}, std::pair{1, two}}) {
    const auto mass = oracle_block_mass(inputs.q, inputs.k, grid);
    EXPECT_LT((got.block_mass[item] - mass).abs().max().item<double>(), 5e-6);
    const auto attended = oracle_attend(inputs.q, inputs.k, inputs.v, got.mask[item], grid);
    EXPECT_LT(reel::testing::relative_error(got.out[item], attended.out), 5e-6);
    EXPECT_LT(reel::testing::relative_error(got.lse[item], attended.lse), 5e-6);
  }
}

TEST(Explain, MassOfScoredRowsIsOneAndOfOthersZero) {
  const auto inputs = testing::structured_inputs(700, 2, 64, 3);
  for (const bool causal : {false, true}) {
    const auto got =
        explain(inputs.q.unsqueeze(0), inputs.k.unsqueeze(0), inputs.v.unsqueeze(0),
                {.settings = {0.7, 16, 64}, .text_length = 70, .causal = causal, .protection = {}});
    const auto sums = got.block_mass.sum(3);  // 9 scored blocks of 11
    EXPECT_LT((sums.slice(2, 0, 9) - 1).abs().max().item<double>(), 1e-5);
    EXPECT_EQ(sums.slice(2, 9).abs().max().item<double>(), 0);
    EXPECT_EQ(got.block_mass.slice(3, 9).abs().max().item<double>(), 0);
  }
}

TEST(Explain, RefusesATextLengthThatDoesNotFit) {
  const auto x = at::zeros({1, 20, 1, 8});
  ExplainOptions options = {
      .settings = {0.7, 8, 128}, .text_length = 21, .causal = false, .protection = {}};
  try {
    explain(x, x, x, options);
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                ::testing::HasSubstr("--text-length: out of range: got 21, want 0 to 20"));
  }
}

}  // namespace
}  // namespace reel::attention
