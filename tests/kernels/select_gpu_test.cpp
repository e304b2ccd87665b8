// The select kernel against select_blocks, on scores of its own device.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "attention/block_plan.h"
#include "attention/device_plan.h"
#include "core/random.h"
#include "tests/kernels/score_reference.h"
#include "tests/support/gpu.h"

namespace reel::attention {
namespace {

constexpr int64_t kWorkspace = int64_t{1} << 30;

struct Tokens {
  at::Tensor q, k;  // [S, A, D]
};

Tokens draw(const BlockGrid& grid, int64_t num_heads, uint64_t seed, int64_t head_dim = 128) {
  constexpr int64_t kRun = 97;
  NormalStream stream(seed);
  const at::Tensor common = stream.next({grid.num_tokens / kRun + 1, num_heads, head_dim})
                                .repeat_interleave(kRun, 0)
                                .slice(0, 0, grid.num_tokens);
  const auto tokens = [&] {
    const at::Tensor noise = stream.next({grid.num_tokens, num_heads, head_dim});
    return (common + 0.5 * noise).to(at::kCUDA, at::kBFloat16);
  };
  return {tokens(), tokens()};
}

DevicePlan plan_of(const Tokens& tokens, const BlockGrid& grid, const std::vector<double>& taus,
                   const Protection& protection, int64_t workspace_bytes = kWorkspace,
                   bool by_block = false) {
  std::vector<TimePoint> moments;
  const PlanOptions options = {.kernel = best_score_kernel(tokens.q, tokens.k, grid),
                               .tuning = {},
                               .keep_mass = true,
                               .workspace_bytes = workspace_bytes,
                               .select_by_block = by_block};
  EXPECT_NE(options.kernel, ScoreKernel::kNone);
  return plan_on_device(tokens.q, tokens.k, grid, taus, protection, options, moments);
}

at::Tensor expected_mask(const DevicePlan& plan, const BlockGrid& grid,
                         const std::vector<double>& taus, const Protection& protection) {
  return select_blocks(plan.block_mass.cpu(), taus, grid, protection).mask();
}

// Lists, counts, sums and mask words say the same.
void expect_consistent(const DevicePlan& plan) {
  const at::Tensor mask = plan.mask().cpu().to(at::kByte);
  const at::Tensor counts = mask.sum(2);
  EXPECT_TRUE(at::equal(plan.counts.cpu().to(at::kLong), counts));
  EXPECT_TRUE(at::equal(plan.selected.cpu(), counts.sum(1)));
  const at::Tensor keys = plan.keys.cpu().view(at::kShort).to(at::kInt).bitwise_and(0xffff);
  const BlockLists lists = BlockLists::from_mask(mask);
  for (int64_t head = 0; head < mask.size(0); ++head) {
    for (int64_t query = 0; query < mask.size(1); ++query) {
      const auto want = lists.keys(head, query);
      const int32_t* got = keys[head][query].const_data_ptr<int32_t>();
      ASSERT_TRUE(std::equal(want.begin(), want.end(), got)) << head << ' ' << query;
    }
  }
}

struct Case {
  const char* name;
  BlockGrid grid;
  int64_t num_heads;
  Protection protection = {};
};

const Case kCases[] = {
    {"OneToken", {1, 0, 128, 8}, 2},
    {"JustBelowABlock", {127, 0, 128, 8}, 2},
    {"OneBlock", {128, 0, 128, 8}, 1},
    {"JustAboveABlock", {129, 0, 128, 8}, 2},
    {"Ragged", {1000, 0, 128, 8}, 5},
    {"Text", {1000, 77, 128, 8}, 5},
    {"NothingButText", {300, 300, 128, 8}, 5},
    {"Stride4", {2000, 10, 128, 4}, 5},
    {"Stride16", {2000, 10, 128, 16}, 5},
    {"Sink", {2000, 77, 128, 8}, 5, {true, true, 2}},
    {"WithoutSelf", {2000, 77, 128, 8}, 5, {true, false, 0}},
    {"Causal", {2000, 0, 128, 8, true}, 5},
    {"CausalSink", {3000, 0, 128, 16, true}, 5, {true, true, 1}},
    {"L4103", {4103, 64, 128, 8}, 5},
};

std::vector<double> some_taus(int64_t num_heads) {
  const std::vector<double> all = {0.9, 0.5, 0.95, 1.0, 0.0};
  return {all.begin(), all.begin() + num_heads};
}

struct Kernel {
  const char* name;
  bool by_block;
};

constexpr Kernel kKernels[] = {{"ByWarp", false}, {"ByBlock", true}};

class SelectGpu : public ::testing::TestWithParam<std::tuple<Case, Kernel>> {};

TEST_P(SelectGpu, SelectsWhatTheCpuDoes) {
  REEL_REQUIRE_GPU();
  const auto& [test, kernel] = GetParam();
  const auto taus = some_taus(test.num_heads);
  const auto tokens = draw(test.grid, test.num_heads, 3);
  const auto plan = plan_of(tokens, test.grid, taus, test.protection, kWorkspace, kernel.by_block);
  expect_consistent(plan);
  EXPECT_TRUE(at::equal(plan.mask().cpu().to(at::kByte),
                        expected_mask(plan, test.grid, taus, test.protection)));
  if (test.grid.num_scored() == 0) return;
  const at::Tensor want = testing::reference_mass(
      testing::reference_scores(tokens.q, tokens.k, test.grid, 0, test.grid.num_scored()),
      test.grid);
  EXPECT_LT((plan.block_mass - want).abs().max().item<double>(), 1e-5);
  const int64_t num_scored = test.grid.num_scored();
  const at::Tensor recall =
      (want * plan.mask().slice(1, 0, num_scored).slice(2, 0, num_scored)).sum(2);
  for (int64_t head = 0; head < test.num_heads; ++head) {
    EXPECT_GE(recall[head].min().item<double>(), taus[static_cast<size_t>(head)] - 1e-5);
  }
}

TEST_P(SelectGpu, GivesTheSameTwiceAndInSmallParts) {
  REEL_REQUIRE_GPU();
  const auto& [test, kernel] = GetParam();
  const auto taus = some_taus(test.num_heads);
  const auto tokens = draw(test.grid, test.num_heads, 4);
  const auto first = plan_of(tokens, test.grid, taus, test.protection, kWorkspace, kernel.by_block);
  for (const int64_t bytes : {int64_t{1} << 30, int64_t{1}, int64_t{200'000}}) {
    const auto again = plan_of(tokens, test.grid, taus, test.protection, bytes, kernel.by_block);
    EXPECT_TRUE(at::equal(first.block_mass, again.block_mass)) << bytes;
    EXPECT_TRUE(at::equal(first.mask_words, again.mask_words)) << bytes;
    EXPECT_TRUE(at::equal(first.counts, again.counts)) << bytes;
    EXPECT_TRUE(at::equal(first.selected, again.selected)) << bytes;
    expect_consistent(again);
  }
}

std::string case_name(const ::testing::TestParamInfo<std::tuple<Case, Kernel>>& param) {
  const auto& [test, kernel] = param.param;
  return std::string(test.name) + kernel.name;
}

INSTANTIATE_TEST_SUITE_P(Small, SelectGpu,
                         ::testing::Combine(::testing::ValuesIn(kCases),
                                            ::testing::ValuesIn(kKernels)),
                         case_name);

class SelectGpuKernel : public ::testing::TestWithParam<Kernel> {
 protected:
  static DevicePlan plan(const Tokens& tokens, const BlockGrid& grid,
                         const std::vector<double>& taus, const Protection& protection) {
    return plan_of(tokens, grid, taus, protection, kWorkspace, GetParam().by_block);
  }
};

INSTANTIATE_TEST_SUITE_P(, SelectGpuKernel, ::testing::ValuesIn(kKernels),
                         [](const auto& param) { return std::string(param.param.name); });

TEST_P(SelectGpuKernel, GivesTiesToTheNearestBlocks) {
  REEL_REQUIRE_GPU();
  const BlockGrid grid = {128 * 20, 0, 128, 8};
  Tokens tokens = draw(grid, 1, 5);
  tokens.k.zero_();
  const at::Tensor mask = plan(tokens, grid, {0.23}, {}).mask()[0].cpu();  // 5 of 20 equal blocks
  EXPECT_TRUE(mask.sum(1).eq(5).all().item<bool>());
  EXPECT_EQ(mask[0].slice(0, 0, 5).sum().item<int64_t>(), 5);
  EXPECT_EQ(mask[10].slice(0, 8, 13).sum().item<int64_t>(), 5);
  EXPECT_EQ(mask[19].slice(0, 15, 20).sum().item<int64_t>(), 5);
}

TEST_P(SelectGpuKernel, TakesTheLowerOfTwoEquallyNearTies) {
  REEL_REQUIRE_GPU();
  const BlockGrid grid = {128 * 20, 0, 128, 8};
  Tokens tokens = draw(grid, 1, 5);
  tokens.k.zero_();
  const at::Tensor mask = plan(tokens, grid, {0.18}, {}).mask()[0].cpu();  // 4
  EXPECT_EQ(mask[10].slice(0, 8, 12).sum().item<int64_t>(), 4);
  EXPECT_EQ(mask[10].sum().item<int64_t>(), 4);
}

TEST_P(SelectGpuKernel, SharesTiesOfLongRowsOutLikeTheCpu) {
  REEL_REQUIRE_GPU();
  for (const int64_t num_blocks : {384, 385, 700, 1024}) {
    const BlockGrid grid = {128 * num_blocks, 0, 128, 16};
    Tokens tokens = draw(grid, 1, 5);
    tokens.k.zero_();
    tokens.k.slice(0, 128 * 300, 128 * 310).fill_(0.01);
    const auto got = plan(tokens, grid, {0.6}, {});
    expect_consistent(got);
    EXPECT_TRUE(at::equal(got.mask().cpu().to(at::kByte), expected_mask(got, grid, {0.6}, {})))
        << num_blocks;
  }
}

TEST_P(SelectGpuKernel, TakesTheOneBlockOfAOneHotRow) {
  REEL_REQUIRE_GPU();
  const BlockGrid grid = {128 * 20, 0, 128, 8};
  Tokens tokens = draw(grid, 1, 6);
  tokens.q.fill_(1);
  tokens.k.zero_();
  tokens.k.slice(0, 128 * 7, 128 * 8).fill_(4);
  const auto got = plan(tokens, grid, {0.95}, {true, false, 0});
  EXPECT_TRUE(got.counts.eq(1).all().item<bool>());
  EXPECT_TRUE(got.mask().select(2, 7).all().item<bool>());
}

TEST_P(SelectGpuKernel, ShowsRowsThatAreNotFiniteEveryVisibleBlock) {
  REEL_REQUIRE_GPU();
  for (const bool causal : {false, true}) {
    for (const double bad :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
      const BlockGrid grid = {128 * 20 + 5, 5, 128, 8, causal};
      Tokens tokens = draw(grid, 2, 7);
      const auto clean = plan(tokens, grid, {0.5, 0.5}, {});
      tokens.q[128 * 11 + 77][1][3].fill_(bad);
      const auto got = plan(tokens, grid, {0.5, 0.5}, {});
      at::Tensor want = clean.mask().cpu();
      want[1][11].slice(0, 0, grid.num_visible(11)).fill_(true);
      EXPECT_TRUE(at::equal(got.mask().cpu(), want)) << causal << ' ' << bad;
      expect_consistent(got);
    }
  }
}

TEST(DevicePlanGpu, OfAMaskHasItsLists) {
  REEL_REQUIRE_GPU();
  for (const int64_t num_blocks : {1, 31, 32, 33, 300}) {
    const at::Tensor mask = at::rand({3, num_blocks, num_blocks}).lt(0.3);
    const auto plan = DevicePlan::of_mask(mask.to(at::kCUDA));
    EXPECT_TRUE(at::equal(plan.mask().cpu(), mask)) << num_blocks;
    expect_consistent(plan);
  }
}

TEST(SelectGpuLarge, FullLengthSelectsWhatTheCpuDoes) {
  REEL_REQUIRE_GPU();
  for (const int64_t tail : {0, 1, 17, 256}) {
    const BlockGrid grid = {118'800 + tail, tail, 128, 8};
    const auto tokens = draw(grid, 2, 8);
    for (const Kernel& kernel : kKernels) {
      const auto plan = plan_of(tokens, grid, {0.9, 0.95}, {}, kWorkspace, kernel.by_block);
      EXPECT_TRUE(
          at::equal(plan.mask().cpu().to(at::kByte), expected_mask(plan, grid, {0.9, 0.95}, {})))
          << tail << kernel.name;
      expect_consistent(plan);
    }
  }
}

TEST(SelectGpuLarge, QuarterOfAMillionTokensInParts) {
  REEL_REQUIRE_GPU();
  const BlockGrid grid = {262'144, 0, 128, 16, true};
  const auto tokens = draw(grid, 1, 9);
  const auto plan = plan_of(tokens, grid, {0.9}, {}, int64_t{100} << 20);
  EXPECT_TRUE(at::equal(plan.mask().cpu().to(at::kByte), expected_mask(plan, grid, {0.9}, {})));
  expect_consistent(plan);
}

TEST(ScoreParts, CoverEveryQueryOfEveryHeadOnce) {
  for (const int64_t cap : {int64_t{1}, int64_t{1} << 20, int64_t{1} << 24, int64_t{1} << 30}) {
    const BlockGrid grid = {118'800, 0, 128, 8};
    at::Tensor seen = at::zeros({5, grid.num_scored()});
    for (const auto& part : score_parts(grid, 5, cap)) {
      seen.slice(0, part.first_head, part.first_head + part.num_heads)
          .slice(1, part.first_query, part.first_query + part.num_queries) += 1;
      const int64_t bytes = part.num_heads * part.num_queries * 16 * 928 * 4;
      EXPECT_TRUE(bytes <= cap || (part.num_heads == 1 && part.num_queries == 1)) << cap;
    }
    EXPECT_TRUE(seen.eq(1).all().item<bool>()) << cap;
  }
}

}  // namespace
}  // namespace reel::attention
