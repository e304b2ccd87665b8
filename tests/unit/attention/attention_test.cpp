// The one entry that the DiT calls.
#include "attention/attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "attention/dense.h"
#include "attention/oracle.h"
#include "core/error.h"
#include "tests/support/compare.h"
#include "tests/support/gpu.h"
#include "tests/unit/attention/implementations.h"

namespace reel::attention {
namespace {

constexpr int64_t kTokens = 900;
constexpr int64_t kText = 40;
constexpr int64_t kHeads = 3;

struct Batch {
  at::Tensor q, k, v;  // [B, S, A, D]
};

Batch draw(int64_t batch, uint64_t seed = 1) {
  std::vector<at::Tensor> q, k, v;
  for (int64_t item = 0; item < batch; ++item) {
    const auto inputs =
        testing::structured_inputs(kTokens, kHeads, 64, seed + static_cast<uint64_t>(item));
    q.push_back(inputs.q);
    k.push_back(inputs.k);
    v.push_back(inputs.v);
  }
  return {at::stack(q), at::stack(k), at::stack(v)};
}

Attention sparse_attention(const std::string& rules) {
  const auto file =
      std::filesystem::path(::testing::TempDir()) /
      (std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) + ".json");
  std::ofstream(file) << R"({"format":1,"rules":)" << rules << "}";
  ScheduleOptions options;
  options.mode = "dense";
  options.schedule_file = file;
  ScheduleShape shape;
  shape.num_steps = 2;
  shape.num_layers = 2;
  shape.num_heads = kHeads;
  return Attention(AttentionSchedule::make(options, shape));
}

// What one batch item must give where every head is sparse with `taus`.
at::Tensor oracle(const Batch& batch, int64_t item, const std::vector<double>& taus,
                  const BlockGrid& grid) {
  const auto q = batch.q[item], k = batch.k[item], v = batch.v[item];
  const auto mask = oracle_select(oracle_block_mass(q, k, grid), taus, grid, {});
  return oracle_attend(q, k, v, mask, grid).out;
}

TEST(Attention, IsDenseByDefaultAndCountsIt) {
  Attention attention;
  const auto batch = draw(2);
  const auto out = attention.at_step(3)(batch.q, batch.k, batch.v, kText, 1);
  EXPECT_TRUE(at::equal(out, dense_attention(batch.q, batch.k, batch.v)));
  const auto& statistics = attention.statistics();
  EXPECT_EQ(statistics.density(3, 1), std::vector<double>(kHeads, 1.0));
  EXPECT_EQ(statistics.times(3).num_dense_calls, 1);
  EXPECT_GT(statistics.times(3).attend_ms, 0);
  EXPECT_EQ(statistics.times(3).score_ms, 0);
}

TEST(Attention, RunsEachBatchItemSparse) {
  Attention attention = sparse_attention(R"([{"steps":"1","mode":"xattn","tau":0.8}])");
  const auto batch = draw(2);
  EXPECT_TRUE(at::equal(attention.at_step(0)(batch.q, batch.k, batch.v, kText, 0),
                        dense_attention(batch.q, batch.k, batch.v)));
  const auto out = attention.at_step(1)(batch.q, batch.k, batch.v, kText, 0);
  ASSERT_EQ(out.sizes(), batch.q.sizes());
  for (int64_t item = 0; item < 2; ++item) {
    const auto want = oracle(batch, item, {0.8, 0.8, 0.8}, {kTokens, kText, 128, 8});
    EXPECT_LT(reel::testing::relative_error(out[item], want), 5e-6) << item;
  }
  const auto& statistics = attention.statistics();
  EXPECT_EQ(statistics.times(1).num_sparse_calls, 2) << "one a batch item";
  EXPECT_LT(statistics.mean_density(1), 1.0);
  EXPECT_GT(statistics.times(1).score_ms, 0);
  EXPECT_GT(statistics.times(1).attend_ms, 0);
}

TEST(Attention, EveryHeadHasItsOwnSettings) {
  Attention attention = sparse_attention(
      R"([{"steps":"0","heads":"0","mode":"xattn","tau":0.5},
          {"steps":"0","heads":"2","mode":"xattn","tau":0.7,"block":64,"stride":4}])");
  const auto batch = draw(1);
  const auto out = attention.at_step(0)(batch.q, batch.k, batch.v, kText, 1)[0];
  const auto first = oracle(batch, 0, {0.5, 0.5, 0.5}, {kTokens, kText, 128, 8});
  const auto last = oracle(batch, 0, {0.7, 0.7, 0.7}, {kTokens, kText, 64, 4});
  const auto dense = dense_attention(batch.q, batch.k, batch.v)[0];
  EXPECT_LT(reel::testing::relative_error(out.select(1, 0), first.select(1, 0)), 5e-6);
  EXPECT_LT(reel::testing::relative_error(out.select(1, 1), dense.select(1, 1)), 5e-6);
  EXPECT_LT(reel::testing::relative_error(out.select(1, 2), last.select(1, 2)), 5e-6);
  const auto density = attention.statistics().density(0, 1);
  EXPECT_LT(density[0], 1.0);
  EXPECT_EQ(density[1], 1.0);
  EXPECT_LT(density[2], 1.0);
}

TEST(Attention, AttendsToAGivenPlanAndStillScores) {
  Attention attention = sparse_attention(R"([{"mode":"xattn"}])");
  const auto batch = draw(1);
  const BlockGrid grid = {kTokens, kText, 128, 8};
  const int64_t n = grid.num_blocks();
  const at::Tensor mask = at::eye(n, at::kByte).unsqueeze(0).repeat({kHeads, 1, 1});
  attention.give_plan(mask);
  const auto out = attention.at_step(0)(batch.q, batch.k, batch.v, kText, 0)[0];
  const auto want = oracle_attend(batch.q[0], batch.k[0], batch.v[0], mask, grid).out;
  EXPECT_LT(reel::testing::relative_error(out, want), 5e-6);
  EXPECT_NEAR(attention.statistics().mean_density(0), 1.0 / static_cast<double>(n), 1e-12);
  EXPECT_GT(attention.statistics().times(0).score_ms, 0);

  attention.give_plan(mask.slice(1, 1));
  EXPECT_THROW(attention.at_step(0)(batch.q, batch.k, batch.v, kText, 0), ShapeError);
}

// Dense, sparse, and heads of several kinds: the result lands in rows that lie apart, and nowhere
// else.
void expect_written_in_place(const at::TensorOptions& options) {
  constexpr int64_t kHeadDim = 64;
  const auto batch = draw(2);
  const at::Tensor q = batch.q.to(options), k = batch.k.to(options), v = batch.v.to(options);
  for (const char* rules :
       {"[]", R"([{"mode":"xattn","tau":0.8}])",
        R"([{"heads":"0","mode":"xattn","tau":0.5},{"heads":"2","mode":"xattn","tau":0.8}])"}) {
    SCOPED_TRACE(rules);
    Attention attention = sparse_attention(rules);
    const auto want = attention.at_step(0)(q, k, v, kText, 0);
    const at::Tensor wide = at::full({2, kTokens, kHeads * kHeadDim + 16}, 9.0, options);
    const at::Tensor out = wide.narrow(2, 16, kHeads * kHeadDim).unflatten(2, {kHeads, kHeadDim});
    const auto got = attention.at_step(0)(q, k, v, kText, 0, out);
    EXPECT_EQ(got.const_data_ptr(), out.const_data_ptr());
    EXPECT_TRUE(at::equal(out, want));
    EXPECT_TRUE(wide.narrow(2, 0, 16).eq(9.0).all().item<bool>());
  }
}

TEST(Attention, WritesWhereTheCallerWants) {
  expect_written_in_place(at::kFloat);
}

TEST(AttentionGpu, WritesWhereTheCallerWants) {
  REEL_REQUIRE_GPU();
  expect_written_in_place(at::TensorOptions(at::kBFloat16).device(at::kCUDA));
  expect_written_in_place(at::TensorOptions(at::kFloat).device(at::kCUDA));
}

TEST(Attention, RefusesMoreHeadsThanTheScheduleHas) {
  Attention attention = sparse_attention(R"([{"mode":"xattn"}])");
  const auto x = at::randn({1, 300, kHeads + 1, 64});
  EXPECT_THROW(attention.at_step(0)(x, x, x, 0, 0), ShapeError);
}

TEST(Attention, ReferenceModeTreatsTextLikeAnyToken) {
  ScheduleOptions options;
  options.mode = "reference";
  options.dense_steps = "0";
  options.tau = 0.5;
  ScheduleShape shape;
  shape.num_heads = kHeads;
  Attention attention(AttentionSchedule::make(options, shape));
  const auto batch = draw(1);
  const auto with_text = attention.at_step(0)(batch.q, batch.k, batch.v, kText, 0);
  const auto without = attention.at_step(0)(batch.q, batch.k, batch.v, 0, 0);
  EXPECT_TRUE(at::equal(with_text, without));
  EXPECT_LT(attention.statistics().mean_density(0), 1.0);
}

TEST(DenseAttention, IsSoftmaxAttention) {
  const auto batch = draw(1, 5);
  const BlockGrid grid = {kTokens, 0, 128, 8};
  for (const bool causal : {false, true}) {
    BlockGrid of = grid;
    of.causal = causal;
    const auto mask = at::ones({kHeads, grid.num_blocks(), grid.num_blocks()});
    const auto want = oracle_attend(batch.q[0], batch.k[0], batch.v[0], mask, of).out;
    const auto got = dense_attention(batch.q, batch.k, batch.v, causal);
    EXPECT_TRUE(got.is_contiguous());
    EXPECT_LT(reel::testing::relative_error(got[0], want), 5e-6) << causal;
  }
}

TEST(DenseAttention, SharesKeyHeadsBetweenQueryHeads) {
  const auto q = at::randn({2, 50, 6, 16});
  const auto k = at::randn({2, 50, 2, 16});
  const auto v = at::randn({2, 50, 2, 16});
  const auto want = dense_attention(q, k.repeat_interleave(3, 2), v.repeat_interleave(3, 2), true);
  EXPECT_LT(reel::testing::relative_error(dense_attention(q, k, v, true), want), 5e-6);
}

TEST(DenseAttentionGpu, AgreesWithTheCpuInBf16) {
  REEL_REQUIRE_GPU();
  const auto batch = draw(2, 6);
  const auto to_gpu = [](const at::Tensor& x) { return x.to(at::kCUDA, at::kBFloat16); };
  for (const bool causal : {false, true}) {
    const auto want = dense_attention(batch.q, batch.k, batch.v, causal);
    const auto got = dense_attention(to_gpu(batch.q), to_gpu(batch.k), to_gpu(batch.v), causal);
    EXPECT_GT(reel::testing::cosine(got.cpu(), want), 0.9995);
  }
}

TEST(AttentionGpu, SparseCallsAgreeWithTheCpuInBf16) {
  REEL_REQUIRE_GPU();
  const auto batch = draw(1, 7);
  const auto to_gpu = [](const at::Tensor& x) { return x.to(at::kCUDA, at::kBFloat16); };
  const auto rounded = [](const at::Tensor& x) { return x.to(at::kBFloat16).to(at::kFloat); };
  Attention on_cpu = sparse_attention(R"([{"mode":"xattn","tau":0.8}])");
  Attention on_gpu = sparse_attention(R"([{"mode":"xattn","tau":0.8}])");
  const auto want =
      on_cpu.at_step(0)(rounded(batch.q), rounded(batch.k), rounded(batch.v), kText, 0);
  const auto got = on_gpu.at_step(0)(to_gpu(batch.q), to_gpu(batch.k), to_gpu(batch.v), kText, 0);
  EXPECT_GT(reel::testing::cosine(got.cpu(), want), 0.9995);
  EXPECT_NEAR(on_gpu.statistics().mean_density(0), on_cpu.statistics().mean_density(0), 0.01);
  EXPECT_GT(on_gpu.statistics().times(0).attend_ms, 0);
}

}  // namespace
}  // namespace reel::attention
