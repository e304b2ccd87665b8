// The benchmark's inputs give the densities that were measured on HunyuanVideo.
#include "benchmarks/synthetic_qk.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "benchmarks/given_plan.h"

namespace reel::benchmarks {
namespace {

// Share of blocks that tau keeps in a few query blocks of one head of the full grid, stride 8.
double sampled_density(const at::Tensor& q, const at::Tensor& k, double tau) {
  constexpr int64_t kBlock = 128, kStride = 8, kSamples = 6;
  const int64_t num_blocks = q.size(0) / kBlock;
  const int64_t num_tokens = num_blocks * kBlock;
  const at::Tensor columns = k.slice(0, 0, num_tokens).reshape({num_tokens / kStride, -1});
  double sum = 0;
  for (int64_t sample = 0; sample < kSamples; ++sample) {
    const int64_t block = 3 + sample * (num_blocks - 7) / (kSamples - 1);
    const at::Tensor rows = q.slice(0, block * kBlock, (block + 1) * kBlock)
                                .reshape({kBlock / kStride, kStride, -1})
                                .flip(1)
                                .reshape({kBlock / kStride, -1});
    const at::Tensor mass =
        at::softmax(at::matmul(rows, columns.t()) /
                        (std::sqrt(static_cast<double>(q.size(1))) * double{kStride}),
                    1)
            .view({kBlock / kStride, num_blocks, kBlock / kStride})
            .mean(0)
            .sum(1);
    const at::Tensor sums = std::get<0>(mass.sort(0, true)).to(at::kDouble).cumsum(0);
    sum += static_cast<double>((sums < tau).sum().item<int64_t>() + 1) /
           static_cast<double>(num_blocks);
  }
  return sum / kSamples;
}

TEST(SyntheticQk, MixtureHasTheDensityOfTheRealModel) {
  const std::vector<std::pair<HeadKind, double>> kinds = {
      {HeadKind::kLocal, 8},    {HeadKind::kTemporal, 5}, {HeadKind::kFrame, 4},
      {HeadKind::kSemantic, 5}, {HeadKind::kSink, 1},     {HeadKind::kDiffuse, 1}};
  double at_90 = 0, at_95 = 0;
  std::map<HeadKind, double> density;
  for (const auto& [kind, weight] : kinds) {
    const auto head = draw_queries_and_keys(kFullGrid, {kind}, 128, /*seed=*/1, at::kFloat);
    const at::Tensor q = head.q.select(1, 0), k = head.k.select(1, 0);
    density[kind] = sampled_density(q, k, 0.9);
    at_90 += weight / 24 * density[kind];
    at_95 += weight / 24 * sampled_density(q, k, 0.95);
  }
  EXPECT_NEAR(at_90, 0.346, 0.05);
  EXPECT_NEAR(at_95, 0.447, 0.06);
  EXPECT_LT(density[HeadKind::kLocal], 0.3);
  EXPECT_GT(density[HeadKind::kDiffuse], 0.75);
}

TEST(SyntheticQk, MixtureKeepsProportions) {
  const auto kinds = mixture(24);
  const auto count = [&](HeadKind kind) { return std::count(kinds.begin(), kinds.end(), kind); };
  EXPECT_EQ(count(HeadKind::kLocal), 8);
  EXPECT_EQ(count(HeadKind::kTemporal), 5);
  EXPECT_EQ(count(HeadKind::kFrame), 4);
  EXPECT_EQ(count(HeadKind::kSemantic), 5);
  EXPECT_EQ(count(HeadKind::kSink), 1);
  EXPECT_EQ(count(HeadKind::kDiffuse), 1);
}

TEST(SyntheticQk, HasUnitNormTimesGain) {
  const auto head = draw_queries_and_keys({3, 4, 5}, {HeadKind::kLocal}, 64, 1, at::kFloat);
  ASSERT_EQ(head.q.sizes(), at::IntArrayRef({60, 1, 64}));
  const at::Tensor rms = head.k.square().mean(2).sqrt();
  EXPECT_LT((rms - 1.4).abs().max().item<double>(), 1e-5);
}

TEST(GivenPlan, HasTheWantedDensityAndEveryForcedBlock) {
  const attention::BlockGrid grid = {4416, 64, 128, 8};
  const at::Tensor mass = at::rand({2, 34, 34});
  const at::Tensor plan = plan_of_density(mass, grid, {true, true, 1}, 0.25);
  EXPECT_NEAR(plan.to(at::kDouble).mean().item<double>(), 0.25, 0.002);
  for (int64_t query = 0; query < 35; ++query) {
    for (int64_t key = 0; key < 35; ++key) {
      if (query < 34 && !is_forced(grid, {true, true, 1}, query, key)) continue;
      EXPECT_EQ(plan[1][query][key].item<int>(), 1) << query << ' ' << key;
    }
  }
}

}  // namespace
}  // namespace reel::benchmarks
