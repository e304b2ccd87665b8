// Sparse and dense calls through the Hopper kernels, from the entry that the transformer uses down
// to the double-precision oracle.
#include <ATen/ATen.h>
#include <c10/cuda/CUDAFunctions.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "attention/dense.h"
#include "attention/oracle.h"
#include "attention/xattention.h"
#include "attention/xattention_cpu.h"
#include "tests/support/gpu.h"
#include "tests/unit/attention/implementations.h"

namespace reel::attention {
namespace {

constexpr const char* kSm90 = "sm90 wgmma (lazy)";
constexpr double kTau = 0.9;

struct Batch {
  at::Tensor q, k, v;  // [B, S, A, D], bf16 on the GPU
};

// As a fused projection gives them: q, k and v are slices of rows of 3 A D elements.
Batch draw(int64_t batch, int64_t num_tokens, int64_t num_heads, int64_t head_dim) {
  const at::Tensor all = at::empty({batch, num_tokens, 3, num_heads, head_dim},
                                   at::TensorOptions(at::kBFloat16).device(at::kCUDA));
  for (int64_t item = 0; item < batch; ++item) {
    const auto inputs = testing::structured_inputs(num_tokens, num_heads, head_dim,
                                                   static_cast<uint64_t>(item + 1));
    all[item].select(1, 0).copy_(inputs.q);
    all[item].select(1, 1).copy_(inputs.k);
    all[item].select(1, 2).copy_(inputs.v);
  }
  return {all.select(2, 0), all.select(2, 1), all.select(2, 2)};
}

SparseCall call_of(const Batch& batch, int64_t text_length, bool causal = false) {
  return {.grid = {.num_tokens = batch.q.size(1),
                   .text_length = text_length,
                   .block = 128,
                   .stride = 8,
                   .causal = causal},
          .taus = std::vector<double>(static_cast<size_t>(batch.q.size(2)), kTau),
          .protection = {},
          .selection = {},
          .given_mask = {},
          .keep_plan = true};
}

SparseResult run(const Batch& batch, const SparseCall& call) {
  return run_sparse_call(batch.q[0], batch.k[0], batch.v[0], call);
}

bool kernels_run(const Batch& batch) {
  return sparse_runs_sm90(batch.q[0], batch.k[0], batch.v[0], 128, GpuKernels::kAuto);
}

#define REEL_REQUIRE_HOPPER()                                  \
  REEL_REQUIRE_GPU();                                          \
  if (!kernels_run(draw(1, 1, 1, 64))) {                       \
    GTEST_SKIP() << "the kernels need compute capability 9.0"; \
  }

double relative_l2(const at::Tensor& got, const at::Tensor& want) {
  const at::Tensor expected = want.to(at::kDouble);
  return ((got.cpu().to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

// Equal infinities differ by nothing.
double largest_difference(const at::Tensor& got, const at::Tensor& want) {
  if (got.numel() == 0) return 0.0;
  const at::Tensor a = got.cpu().to(at::kDouble);
  const at::Tensor b = want.cpu().to(at::kDouble);
  return (a - b).abs().masked_fill(a.eq(b), 0.0).max().item<double>();
}

// Output and LSE over the blocks that the call itself chose; bounds are those of the kernel's test.
void expect_oracle_output(const Batch& batch, const SparseCall& call, const SparseResult& result) {
  const auto want =
      oracle_attend(batch.q[0].cpu(), batch.k[0].cpu(), batch.v[0].cpu(), result.mask, call.grid);
  EXPECT_LE(relative_l2(result.out, want.out), 3e-3);
  EXPECT_LE(largest_difference(result.lse, want.lse), 2e-3);
  const at::Tensor density = result.mask.to(at::kDouble).mean({1, 2});
  const auto counted = result.density.values();
  for (size_t head = 0; head < counted.size(); ++head) {
    EXPECT_DOUBLE_EQ(counted[head], density[static_cast<int64_t>(head)].item<double>());
  }
}

TEST(SparseCallOnHopper, EqualsTheOracleOverItsOwnBlocks) {
  REEL_REQUIRE_HOPPER();
  for (const int64_t head_dim : {64, 128}) {
    for (const auto& [tokens, text] : {std::pair<int64_t, int64_t>{1, 0},
                                       {127, 0},
                                       {128, 128},
                                       {129, 1},
                                       {1000, 77},
                                       {2303, 256}}) {
      SCOPED_TRACE(std::to_string(tokens) + " tokens, D " + std::to_string(head_dim));
      const Batch batch = draw(1, tokens, 3, head_dim);
      const SparseCall call = call_of(batch, text);
      const auto result = run(batch, call);
      const at::Tensor want_mass = oracle_block_mass(batch.q[0].cpu(), batch.k[0].cpu(), call.grid);
      const at::Tensor mass = testing::over_all_blocks(result.block_mass.cpu(), call.grid);
      EXPECT_LE(largest_difference(mass, want_mass), 1e-4);
      EXPECT_TRUE(
          at::equal(result.mask, oracle_select(mass, call.taus, call.grid, call.protection)));
      EXPECT_GE(testing::smallest_recall(want_mass, result.mask, call.grid), kTau - 1e-4);
      expect_oracle_output(batch, call, result);
    }
  }
}

TEST(SparseCallOnHopper, CausalRowsSeeEarlierTokensAlone) {
  REEL_REQUIRE_HOPPER();
  const Batch batch = draw(1, 1500, 2, 128);
  const SparseCall call = call_of(batch, 0, /*causal=*/true);
  const auto result = run(batch, call);
  EXPECT_EQ(result.mask.triu(1).sum().item<int64_t>(), 0);
  expect_oracle_output(batch, call, result);
}

TEST(SparseCallOnHopper, AGivenPlanReplacesTheSelection) {
  REEL_REQUIRE_HOPPER();
  const Batch batch = draw(1, 1700, 3, 128);
  SparseCall call = call_of(batch, 100);
  call.given_mask = at::rand({3, 14, 14}).lt(0.3).to(at::kByte);
  call.given_mask.select(2, 2).fill_(1);  // no row is empty
  const auto result = run(batch, call);
  EXPECT_TRUE(at::equal(result.mask, call.given_mask));
  expect_oracle_output(batch, call, result);
}

TEST(SparseCallOnHopper, OtherRulesChooseAsLibTorchDoes) {
  REEL_REQUIRE_HOPPER();
  const Batch batch = draw(1, 1700, 3, 128);
  SparseCall top = call_of(batch, 100);
  top.selection = {.rule = CountRule::kTopK, .top_k = 3};
  SparseCall pooled = call_of(batch, 100);
  pooled.selection.pattern = ScorePattern::kMeanPool;
  SparseCall reference = call_of(batch, 100);
  reference.rule = SparseRule::kReference;
  for (SparseCall call : {top, pooled, reference}) {
    const auto result = run(batch, call);
    expect_oracle_output(batch, call, result);
    call.kernels = GpuKernels::kLibTorch;
    EXPECT_TRUE(at::equal(result.mask, run(batch, call).mask));
  }
}

TEST(SparseCallOnHopper, DiagonalPhasesAreScoredByTheKernelsToo) {
  REEL_REQUIRE_HOPPER();
  const Batch batch = draw(1, 1700, 3, 128);
  SparseCall call = call_of(batch, 100);
  call.selection.pattern = ScorePattern::kDiagonal;
  const auto result = run(batch, call);
  call.kernels = GpuKernels::kLibTorch;
  EXPECT_LE(largest_difference(result.block_mass, run(batch, call).block_mass), 1e-4);
  expect_oracle_output(batch, call, result);
}

TEST(SparseCallOnHopper, EightBitScoresSelectAsTheirPlainTwinDoes) {
  REEL_REQUIRE_HOPPER();
  const Batch batch = draw(1, 6000, 3, 128);
  SparseCall call = call_of(batch, 100);
  const auto exact = run(batch, call);
  call.selection.precision = ScorePrecision::kE4m3;
  const auto result = run(batch, call);
  expect_oracle_output(batch, call, result);
  const at::Tensor twin = score_blocks_cpu(round_to_e4m3(batch.q[0].cpu(), call.grid),
                                           round_to_e4m3(batch.k[0].cpu(), call.grid), call.grid);
  EXPECT_LE(largest_difference(result.block_mass, twin), 2e-2 * twin.max().item<double>());
  EXPECT_FALSE(at::equal(result.block_mass, exact.block_mass));
  const int64_t m = call.grid.num_scored();
  const at::Tensor taken = result.mask.to(at::kFloat).slice(1, 0, m).slice(2, 0, m);
  const at::Tensor recall = (exact.block_mass.cpu() * taken).sum(2);
  EXPECT_GE(recall.mean().item<double>(), kTau - 0.005);
}

TEST(SparseCallOnHopper, Fp16IsSelectedByLibTorchAndAttendedByTheKernel) {
  REEL_REQUIRE_HOPPER();
  const Batch drawn = draw(1, 1700, 3, 128);
  const Batch batch = {drawn.q.to(at::kHalf), drawn.k.to(at::kHalf), drawn.v.to(at::kHalf)};
  ASSERT_TRUE(kernels_run(batch));
  const SparseCall call = call_of(batch, 100);
  const auto result = run(batch, call);
  EXPECT_EQ(result.out.scalar_type(), at::kHalf);
  expect_oracle_output(batch, call, result);
}

TEST(SparseCallOnAnyGpu, MmaKernelsScoreSelectAndAttend) {
  REEL_REQUIRE_GPU();
  for (const int64_t head_dim : {64, 128}) {
    for (const bool causal : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "D " << head_dim << " causal " << causal);
      const Batch batch = draw(1, 1700, 3, head_dim);
      SparseCall call = call_of(batch, causal ? 0 : 100, causal);
      call.kernels = GpuKernels::kMma;
      if (!sparse_runs_mma(batch.q[0], batch.k[0], batch.v[0], 128, call.kernels)) {
        GTEST_SKIP() << "needs compute capability 8.0";
      }
      const auto result = run(batch, call);
      EXPECT_TRUE(at::equal(
          result.mask, oracle_select(testing::over_all_blocks(result.block_mass.cpu(), call.grid),
                                     call.taus, call.grid, call.protection)));
      expect_oracle_output(batch, call, result);
      const at::Tensor dense = dense_attention(batch.q, batch.k, batch.v, causal, GpuKernels::kMma);
      const at::Tensor theirs =
          dense_attention(batch.q, batch.k, batch.v, causal, GpuKernels::kLibTorch);
      EXPECT_LE(relative_l2(dense, theirs.cpu()), 6e-3);
    }
  }
}

TEST(SparseCallOnHopper, WhatDoesNotFitRunsOnLibTorch) {
  REEL_REQUIRE_HOPPER();
  const auto name = [](const Batch& batch, int64_t block) {
    return sparse_kernel_name(batch.q[0], batch.k[0], batch.v[0], block, GpuKernels::kAuto);
  };
  const Batch batch = draw(1, 300, 2, 64);
  EXPECT_EQ(name(batch, 128), kSm90);
  EXPECT_EQ(name(batch, 64), "LibTorch operators");
  EXPECT_EQ(name(draw(1, 300, 2, 96), 128), "LibTorch operators");
  const Batch floats = {batch.q.to(at::kFloat), batch.k.to(at::kFloat), batch.v.to(at::kFloat)};
  EXPECT_EQ(name(floats, 128), "LibTorch operators");
  SparseCall call = call_of(floats, 30);
  expect_oracle_output(floats, call, run(floats, call));
}

TEST(SparseCallOnHopper, RepeatsGiveTheSameBits) {
  REEL_REQUIRE_HOPPER();
  const Batch batch = draw(1, 20'000, 3, 128);
  const SparseCall call = call_of(batch, 200);
  const auto first = run(batch, call);
  for (int i = 0; i < 3; ++i) {
    const auto again = run(batch, call);
    ASSERT_TRUE(at::equal(first.mask, again.mask));
    ASSERT_TRUE(at::equal(first.block_mass, again.block_mass));
    ASSERT_TRUE(at::equal(first.out, again.out));
    ASSERT_TRUE(at::equal(first.lse, again.lse));
  }
}

TEST(SparseCallOnHopper, ProbesSeeTheMaskThatRan) {
  REEL_REQUIRE_HOPPER();
  const Batch batch = draw(1, 3000, 3, 128);
  const SparseCall call = call_of(batch, 200);
  const at::Tensor mask = select_mask(batch.q[0], batch.k[0], call);
  EXPECT_TRUE(at::equal(mask.cpu().to(at::kByte), run(batch, call).mask));
}

Attention sparse_attention(int64_t num_heads) {
  ScheduleOptions options;
  options.tau = kTau;
  options.dense_steps = "0";
  options.dense_steps_given = true;
  ScheduleShape shape;
  shape.num_heads = num_heads;
  return Attention(AttentionSchedule::make(options, shape));
}

TEST(AttentionOnHopper, ItemsOfABatchDoNotSeeEachOther) {
  REEL_REQUIRE_HOPPER();
  const Batch batch = draw(2, 2000, 3, 128);
  Attention attention = sparse_attention(3);
  const at::Tensor out = attention.at_step(0)(batch.q, batch.k, batch.v, 100, 0);
  ASSERT_EQ(out.sizes(), batch.q.sizes());
  for (int64_t item = 0; item < 2; ++item) {
    const at::Tensor alone = attention.at_step(0)(
        batch.q.narrow(0, item, 1), batch.k.narrow(0, item, 1), batch.v.narrow(0, item, 1), 100, 0);
    EXPECT_TRUE(at::equal(out[item], alone[0])) << item;
  }
  EXPECT_FALSE(at::equal(out[0], out[1]));
  EXPECT_EQ(attention.statistics().kernels_json(), nlohmann::json({{"sparse", kSm90}}));
  const double density = attention.statistics().mean_density(0);
  EXPECT_GT(density, 0.05);
  EXPECT_LT(density, 0.99);
}

TEST(AttentionOnHopper, DenseCallsAgreeWithCudnn) {
  REEL_REQUIRE_HOPPER();
  for (const int64_t head_dim : {64, 128}) {
    const Batch batch = draw(2, 1777, 3, head_dim);
    const at::Tensor ours =
        dense_attention(batch.q, batch.k, batch.v, /*causal=*/false, GpuKernels::kSm90);
    const at::Tensor theirs =
        dense_attention(batch.q, batch.k, batch.v, /*causal=*/false, GpuKernels::kLibTorch);
    EXPECT_TRUE(ours.is_contiguous());
    EXPECT_LE(relative_l2(ours, theirs.cpu()), 6e-3);  // each within 3e-3 of the truth
  }
}

TEST(AttentionOnHopper, LongDenseCallsOf128AreOursAndOthersCudnns) {
  REEL_REQUIRE_HOPPER();
  const auto name = [](int64_t tokens, int64_t head_dim, GpuKernels kernels) {
    const at::Tensor x =
        at::zeros({1, tokens, 1, head_dim}, at::TensorOptions(at::kBFloat16).device(at::kCUDA));
    return dense_kernel_name(x, x, x, kernels);
  };
  EXPECT_EQ(name(16'384, 128, GpuKernels::kAuto), kSm90);
  EXPECT_EQ(name(16'384, 64, GpuKernels::kAuto), "cuDNN");
  EXPECT_EQ(name(256, 128, GpuKernels::kAuto), "cuDNN");
  EXPECT_EQ(name(256, 64, GpuKernels::kSm90), kSm90);
  EXPECT_EQ(name(16'384, 128, GpuKernels::kLibTorch), "cuDNN");
}

TEST(AttentionOnHopper, NothingWaitsForTheDevice) {
  REEL_REQUIRE_HOPPER();
  const Batch batch = draw(1, 3000, 3, 128);
  Attention attention = sparse_attention(3);
  const auto call = [&] { return attention.at_step(0)(batch.q, batch.k, batch.v, 100, 0); };
  call();
  auto& state = c10::cuda::warning_state();
  state.set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
  EXPECT_NO_THROW(call());
  state.set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
}

}  // namespace
}  // namespace reel::attention
