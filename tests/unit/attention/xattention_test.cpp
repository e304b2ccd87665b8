// Every implementation of XAttention against the oracle.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <limits>

#include "attention/dense.h"
#include "attention/oracle.h"
#include "attention/xattention_cpu.h"
#include "core/error.h"
#include "tests/support/gpu.h"
#include "tests/unit/attention/implementations.h"

namespace reel::attention {
namespace {

using testing::Implementation;
using testing::Inputs;
using testing::Outcome;

struct Case {
  const char* name;
  BlockGrid grid;
  int64_t num_heads;
  int64_t head_dim;
  double tau;
  Protection protection = {};
};

const Case kCases[] = {
    {"OneToken", {1, 0, 128, 8}, 2, 64, 0.9},
    {"OneTextToken", {1, 1, 128, 8}, 1, 64, 0.9},
    {"JustBelowABlock", {127, 0, 128, 8}, 2, 64, 0.9},
    {"OneBlock", {128, 0, 128, 8}, 2, 64, 0.9},
    {"JustAboveABlock", {129, 0, 128, 8}, 2, 64, 0.9},
    {"Ragged", {1000, 0, 128, 8}, 3, 64, 0.9},
    {"RaggedWithText", {1000, 77, 128, 8}, 3, 64, 0.95},
    {"OneTextTokenAtABlocksEnd", {1024, 1, 128, 8}, 2, 64, 0.9},
    {"TextOfABlock", {1024, 128, 128, 8}, 2, 64, 0.9},
    {"TextOverABlock", {1024, 256, 128, 16}, 2, 64, 0.9},
    {"NothingButText", {300, 300, 128, 8}, 2, 64, 0.9},
    {"Long", {4103, 64, 128, 8}, 1, 64, 0.9},
    {"Stride4", {777, 10, 128, 4}, 2, 64, 0.9},
    {"Stride16", {777, 10, 128, 16}, 2, 64, 0.9},
    {"Block64", {777, 10, 64, 8}, 2, 64, 0.9},
    {"Block64Stride4", {777, 10, 64, 4}, 2, 128, 0.5},
    {"Block64Stride16", {777, 10, 64, 16}, 2, 32, 0.9},
    {"HeadDim128", {900, 30, 128, 8}, 2, 128, 0.9},
    {"OddHeadDim", {650, 5, 128, 8}, 2, 37, 0.9},
    {"TinyHeadDim", {650, 5, 64, 4}, 2, 1, 0.9},
    {"LowTau", {1000, 77, 128, 8}, 2, 64, 0.01},
    {"Sink", {1000, 77, 128, 8}, 2, 64, 0.5, {true, true, 2}},
    {"WithoutSelf", {1000, 77, 128, 8}, 2, 64, 0.5, {true, false, 0}},
    {"Causal", {1000, 0, 128, 8, true}, 2, 64, 0.9},
    {"CausalBlock64", {777, 10, 64, 16, true}, 2, 32, 0.9},
    {"CausalSink", {1024, 0, 128, 8, true}, 2, 64, 0.3, {true, true, 1}},
    {"CausalOneToken", {1, 0, 128, 8, true}, 1, 64, 0.9},
};

std::vector<double> taus_of(const Case& test) {
  return std::vector<double>(static_cast<size_t>(test.num_heads), test.tau);
}

double max_difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.numel() == 0) return 0;
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

double relative_l2(const at::Tensor& got, const at::Tensor& want) {
  return ((got.to(at::kDouble) - want).norm() / want.norm()).item<double>();
}

// Everything that holds for every call; bounds are for fp32 inputs.
void expect_like_oracle(const Case& test, const Inputs& inputs, const Outcome& got) {
  const at::Tensor want_mass = oracle_block_mass(inputs.q, inputs.k, test.grid);
  const at::Tensor mass = testing::over_all_blocks(got.block_mass, test.grid);
  EXPECT_LT(max_difference(mass, want_mass), 2e-6);
  EXPECT_GE(testing::smallest_recall(want_mass, got.mask, test.grid), test.tau - 1e-6);
  EXPECT_TRUE(at::equal(got.mask, oracle_select(mass, taus_of(test), test.grid, test.protection)));
  const auto want = oracle_attend(inputs.q, inputs.k, inputs.v, got.mask, test.grid);
  EXPECT_LT(max_difference(got.out, want.out), 5e-6);
  EXPECT_LT(max_difference(got.lse, want.lse), 5e-6);
}

class XAttention : public ::testing::TestWithParam<Implementation> {
 protected:
  void SetUp() override {
    if (!GetParam().available) GTEST_SKIP() << "this processor does not run it";
  }

  Outcome run(const Case& test, const Inputs& inputs) const {
    return GetParam().run(inputs, taus_of(test), test.grid, test.protection);
  }
};

TEST_P(XAttention, DoesWhatTheOracleDoes) {
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.name);
    const auto inputs = testing::structured_inputs(test.grid.num_tokens, test.num_heads,
                                                   test.head_dim, /*seed=*/11);
    expect_like_oracle(test, inputs, run(test, inputs));
  }
}

TEST_P(XAttention, SkipsBlocksOfStructuredInputs) {
  const Case test = {"", {4103, 64, 128, 8}, 1, 64, 0.9};
  const auto got = run(test, testing::structured_inputs(4103, 1, 64, 1));
  const double density = got.mask.to(at::kDouble).mean().item<double>();
  EXPECT_GT(density, 0.05);
  EXPECT_LT(density, 0.5);
}

TEST_P(XAttention, TauOneIsDenseAttention) {
  for (const bool causal : {false, true}) {
    const Case test = {"", {1000, 77, 128, 8, causal}, 3, 64, 1.0};
    const auto inputs = testing::structured_inputs(1000, 3, 64, 2);
    const auto got = run(test, inputs);
    const at::Tensor dense = dense_attention(inputs.q.unsqueeze(0), inputs.k.unsqueeze(0),
                                             inputs.v.unsqueeze(0), causal)[0];
    const auto visible = BlockLists::dense(test.grid, 3).mask();
    const auto exact = oracle_attend(inputs.q, inputs.k, inputs.v, visible, test.grid);
    EXPECT_LT(max_difference(got.out, exact.out), 2 * max_difference(dense, exact.out) + 1e-6);
    EXPECT_LT(max_difference(got.out, dense), 5e-6);
    EXPECT_TRUE(at::equal(got.mask, visible)) << "causal " << causal;
  }
}

TEST_P(XAttention, TwoRunsAgreeBitByBit) {
  const Case test = {"", {2000, 33, 128, 8}, 4, 64, 0.9};
  const auto inputs = testing::structured_inputs(2000, 4, 64, 3);
  const auto first = run(test, inputs);
  for (int i = 0; i < 3; ++i) {
    const auto again = run(test, inputs);
    EXPECT_TRUE(at::equal(first.block_mass, again.block_mass));
    EXPECT_TRUE(at::equal(first.mask, again.mask));
    EXPECT_TRUE(at::equal(first.out, again.out));
    EXPECT_TRUE(at::equal(first.lse, again.lse));
  }
}

TEST_P(XAttention, HeadsHaveTheirOwnTau) {
  const BlockGrid grid = {1000, 0, 128, 8};
  auto inputs = testing::structured_inputs(1000, 1, 64, 4);
  for (auto* x : {&inputs.q, &inputs.k, &inputs.v}) *x = x->repeat({1, 2, 1});
  const auto got = GetParam().run(inputs, {0.3, 0.99}, grid, {});
  EXPECT_TRUE(at::equal(got.block_mass[0], got.block_mass[1]));
  EXPECT_LT(got.mask[0].sum().item<int64_t>(), got.mask[1].sum().item<int64_t>());
}

TEST_P(XAttention, EqualScoresGoToTheNearestBlocks) {
  const Case test = {"", {128 * 9, 0, 128, 8}, 1, 64, 0.5};
  auto inputs = testing::structured_inputs(128 * 9, 1, 64, 5);
  inputs.q.zero_();  // every logit is 0
  const auto got = run(test, inputs);
  // five of nine blocks are the fewest that reach one half
  EXPECT_TRUE(at::equal(got.mask.sum(2), at::full({1, 9}, 5, at::kLong)));
  EXPECT_TRUE(at::equal(got.mask[0][4], at::tensor({0, 0, 1, 1, 1, 1, 1, 0, 0}, at::kByte)));
  EXPECT_TRUE(at::equal(got.mask[0][0], at::tensor({1, 1, 1, 1, 1, 0, 0, 0, 0}, at::kByte)));
  EXPECT_TRUE(at::equal(got.mask[0][7], at::tensor({0, 0, 0, 0, 1, 1, 1, 1, 1}, at::kByte)));
}

TEST_P(XAttention, AllMassInOneBlockSelectsThatBlockAndTheForcedOnes) {
  const Case test = {"", {128 * 6 + 3, 0, 128, 8}, 1, 64, 0.99};
  auto inputs = testing::structured_inputs(128 * 6 + 3, 1, 64, 6);
  inputs.q = at::ones_like(inputs.q);
  inputs.k.zero_();
  inputs.k.slice(0, 128 * 2, 128 * 3).fill_(20.0);
  const auto got = run(test, inputs);
  EXPECT_TRUE(at::equal(got.mask[0][0], at::tensor({1, 0, 1, 0, 0, 0, 1}, at::kByte)));
  EXPECT_TRUE(at::equal(got.mask[0][2], at::tensor({0, 0, 1, 0, 0, 0, 1}, at::kByte)));
  EXPECT_TRUE(at::equal(got.mask[0][6], at::ones({7}, at::kByte))) << "ragged queries are dense";
}

TEST_P(XAttention, ReadsStridedInputs) {
  const Case test = {"", {1000, 77, 128, 8}, 2, 37, 0.9};
  const auto packed = testing::structured_inputs(1000, 2, 37, 7);
  // q, k and v interleaved in one buffer, heads outermost
  const at::Tensor buffer =
      at::stack({packed.q, packed.k, packed.v}, 2).permute({1, 0, 2, 3}).contiguous();
  const auto view = [&](int64_t i) { return buffer.select(2, i).transpose(0, 1); };
  ASSERT_FALSE(view(0).is_contiguous());
  const auto want = run(test, packed);
  const auto got = run(test, {view(0), view(1), view(2)});
  EXPECT_TRUE(at::equal(got.mask, want.mask));
  EXPECT_LT(max_difference(got.out, want.out), 1e-6);
}

TEST_P(XAttention, LargeLogitsStayFinite) {
  const Case test = {"", {700, 7, 128, 8}, 2, 64, 0.9};
  auto inputs = testing::structured_inputs(700, 2, 64, 8);
  inputs.q *= 1000;
  const auto got = run(test, inputs);
  EXPECT_TRUE(at::isfinite(got.out).all().item<bool>());
  EXPECT_GE(testing::smallest_recall(testing::over_all_blocks(got.block_mass, test.grid), got.mask,
                                     test.grid),
            test.tau - 1e-6);
}

TEST_P(XAttention, NanInAKeyShowsInEveryOutputThatDenseAttentionWouldSpoil) {
  const Case test = {"", {700, 7, 128, 8}, 1, 64, 0.1};
  auto inputs = testing::structured_inputs(700, 1, 64, 9);
  inputs.k[200][0][3] = std::numeric_limits<float>::quiet_NaN();
  const auto got = run(test, inputs);
  EXPECT_TRUE(at::isnan(got.out).all().item<bool>());
  EXPECT_TRUE(got.mask.all().item<bool>());
}

TEST_P(XAttention, NanInAQueryStaysInItsRow) {
  const Case test = {"", {700, 7, 128, 8}, 1, 64, 0.5};
  auto inputs = testing::structured_inputs(700, 1, 64, 9);
  const auto clean = run(test, inputs);
  inputs.q[200][0][3] = std::numeric_limits<float>::quiet_NaN();
  const auto got = run(test, inputs);
  EXPECT_TRUE(at::isnan(got.out[200]).all().item<bool>());
  EXPECT_TRUE(at::isfinite(got.out.slice(0, 0, 200)).all().item<bool>());
  EXPECT_TRUE(at::isfinite(got.out.slice(0, 201)).all().item<bool>());
  EXPECT_TRUE(got.mask[0][1].all().item<bool>()) << "its block is dense";
  EXPECT_TRUE(at::equal(got.mask[0][2], clean.mask[0][2])) << "other blocks are as before";
}

TEST_P(XAttention, TakesBf16Inputs) {
  const Case test = {"", {1000, 77, 128, 8}, 2, 64, 0.9};
  auto inputs = testing::structured_inputs(1000, 2, 64, 10);
  for (auto* x : {&inputs.q, &inputs.k, &inputs.v}) *x = x->to(at::kBFloat16);
  const auto got = run(test, inputs);
  ASSERT_EQ(got.out.scalar_type(), at::kBFloat16);
  const at::Tensor mass = oracle_block_mass(inputs.q, inputs.k, test.grid);
  EXPECT_LT(max_difference(testing::over_all_blocks(got.block_mass, test.grid), mass), 2e-6)
      << "scores stay in fp32";
  const auto want = oracle_attend(inputs.q, inputs.k, inputs.v, got.mask, test.grid);
  EXPECT_LT(relative_l2(got.out, want.out), 4e-3);
}

INSTANTIATE_TEST_SUITE_P(Cpu, XAttention, ::testing::ValuesIn(testing::cpu_implementations()),
                         [](const auto& case_info) { return case_info.param.name; });

TEST(XAttentionCpu, ResultDoesNotDependOnTheNumberOfThreads) {
  const BlockGrid grid = {2000, 33, 128, 8};
  const auto inputs = testing::structured_inputs(2000, 3, 64, 12);
  const auto& implementation = testing::cpu_implementations().front();
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = implementation.run(inputs, {0.9, 0.9, 0.9}, grid, {});
  at::set_num_threads(3);
  const auto three = implementation.run(inputs, {0.9, 0.9, 0.9}, grid, {});
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(one.block_mass, three.block_mass));
  EXPECT_TRUE(at::equal(one.out, three.out));
}

TEST(XAttentionCpu, AnEmptyListGivesZero) {
  const BlockGrid grid = {300, 0, 128, 8};
  const auto inputs = testing::structured_inputs(300, 1, 64, 13);
  at::Tensor mask = at::ones({1, 3, 3}, at::kByte);
  mask[0][1].zero_();
  for (const auto* kernels : {&kAvx2Kernels, &best_cpu_kernels()}) {
    const auto got = attend_blocks_cpu(inputs.q, inputs.k, inputs.v, BlockLists::from_mask(mask),
                                       grid, *kernels);
    EXPECT_EQ(got.out.slice(0, 128, 256).abs().max().item<float>(), 0.0F);
    EXPECT_TRUE(got.lse[0].slice(0, 128, 256).isneginf().all().item<bool>());
    EXPECT_TRUE(at::isfinite(got.lse[0].slice(0, 256)).all().item<bool>());
  }
}

TEST(XAttentionCpu, RefusesTensorsThatDoNotFit) {
  const BlockGrid grid = {300, 0, 128, 8};
  const auto inputs = testing::structured_inputs(300, 2, 64, 14);
  EXPECT_THROW(score_blocks_cpu(inputs.q, inputs.k.slice(0, 0, 299), grid), ShapeError);
  EXPECT_THROW(score_blocks_cpu(inputs.q, inputs.k, {300, 301, 128, 8}), ShapeError);
  EXPECT_THROW(score_blocks_cpu(inputs.q, inputs.k, {300, 0, 128, 7}), ShapeError);
  EXPECT_THROW(attend_blocks_cpu(inputs.q, inputs.k, inputs.v, BlockLists::dense(grid, 1), grid),
               ShapeError);
}

TEST(XAttentionGpu, DoesWhatTheOracleDoes) {
  REEL_REQUIRE_GPU();
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.name);
    const auto inputs = testing::structured_inputs(test.grid.num_tokens, test.num_heads,
                                                   test.head_dim, /*seed=*/11);
    expect_like_oracle(
        test, inputs,
        testing::gpu_implementation().run(inputs, taus_of(test), test.grid, test.protection));
  }
}

TEST(XAttentionGpu, Bf16ScoresAreSummedInFp32) {
  REEL_REQUIRE_GPU();
  const Case test = {"", {4103, 77, 128, 8}, 2, 128, 0.9};
  auto inputs = testing::structured_inputs(4103, 2, 128, 10);
  for (auto* x : {&inputs.q, &inputs.k, &inputs.v}) *x = x->to(at::kBFloat16);
  const auto got =
      testing::gpu_implementation().run(inputs, taus_of(test), test.grid, test.protection);
  const at::Tensor mass = oracle_block_mass(inputs.q, inputs.k, test.grid);
  EXPECT_LT(max_difference(testing::over_all_blocks(got.block_mass, test.grid), mass), 5e-6);
  EXPECT_GE(testing::smallest_recall(mass, got.mask, test.grid), test.tau - 1e-5);
  const auto want = oracle_attend(inputs.q, inputs.k, inputs.v, got.mask, test.grid);
  EXPECT_LT(relative_l2(got.out, want.out), 4e-3);
  EXPECT_LT(max_difference(got.lse, want.lse), 2e-3);
}

TEST(XAttentionGpu, TwoRunsAgreeBitByBit) {
  REEL_REQUIRE_GPU();
  const BlockGrid grid = {4103, 33, 128, 8};
  auto inputs = testing::structured_inputs(4103, 4, 128, 3);
  for (auto* x : {&inputs.q, &inputs.k, &inputs.v}) *x = x->to(at::kBFloat16);
  const std::vector<double> taus(4, 0.9);
  const auto first = testing::gpu_implementation().run(inputs, taus, grid, {});
  for (int i = 0; i < 5; ++i) {
    const auto again = testing::gpu_implementation().run(inputs, taus, grid, {});
    EXPECT_TRUE(at::equal(first.mask, again.mask));
    EXPECT_TRUE(at::equal(first.out, again.out));
  }
}

}  // namespace
}  // namespace reel::attention
