// The published rule against a plain transcription in double precision, and its accidents one by
// one.
#include "attention/reference.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "tests/unit/attention/implementations.h"

namespace reel::attention {
namespace {

// Token by token, for one head: sums of the strided softmax over padded blocks.
std::vector<std::vector<double>> plain_sums(const at::Tensor& q, const at::Tensor& k,
                                            int64_t stride, int64_t padded) {
  const int64_t num_tokens = q.size(0);
  const int64_t head_dim = q.size(1);
  const auto rows_q = q.to(at::kDouble).contiguous(), rows_k = k.to(at::kDouble).contiguous();
  const auto dot = [&](int64_t i, int64_t j) {
    if (i >= num_tokens || j >= num_tokens) return 0.0;  // padding is zero
    const double* a = rows_q.const_data_ptr<double>() + i * head_dim;
    const double* b = rows_k.const_data_ptr<double>() + j * head_dim;
    return std::inner_product(a, a + head_dim, b, 0.0);
  };
  const int64_t groups = padded / stride;
  const int64_t per_block = 128 / stride;
  const auto blocks = static_cast<size_t>(padded / 128);
  std::vector<std::vector<double>> sums(blocks, std::vector<double>(blocks, 0.0));
  for (int64_t row = 0; row * stride < num_tokens; ++row) {
    std::vector<double> power(static_cast<size_t>(groups));
    double total = 0;
    for (int64_t column = 0; column < groups; ++column) {
      double logit = 0;
      for (int64_t phase = 0; phase < stride; ++phase) {
        logit += dot(row * stride + stride - 1 - phase, column * stride + phase);
      }
      logit /= std::sqrt(static_cast<double>(head_dim)) * static_cast<double>(stride);
      total += power[static_cast<size_t>(column)] = std::exp(logit);
    }
    for (int64_t column = 0; column < groups; ++column) {
      sums[static_cast<size_t>(row / per_block)][static_cast<size_t>(column / per_block)] +=
          power[static_cast<size_t>(column)] / total;
    }
  }
  return sums;
}

std::vector<int64_t> plain_selection(const std::vector<double>& row, double tau,
                                     int64_t num_blocks) {
  std::vector<int64_t> order(row.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return row[static_cast<size_t>(a)] > row[static_cast<size_t>(b)];
  });
  const double total = std::accumulate(row.begin(), row.end(), 0.0);
  std::vector<int64_t> selected(static_cast<size_t>(num_blocks), 0);
  double before = 0;
  for (const int64_t block : order) {
    if (before < tau * total && block < num_blocks) selected[static_cast<size_t>(block)] = 1;
    before += row[static_cast<size_t>(block)];
  }
  selected[0] = 1;
  return selected;
}

TEST(Reference, ChunksAreThePublishedSizes) {
  EXPECT_EQ(reference_chunk_size(100), 2048);
  EXPECT_EQ(reference_chunk_size(2049), 4096);
  EXPECT_EQ(reference_chunk_size(4097), 8192);
  EXPECT_EQ(reference_chunk_size(8193), 16384);
  EXPECT_EQ(reference_chunk_size(16385), 8192);
  EXPECT_EQ(reference_chunk_size(32769), 4096);
  EXPECT_EQ(reference_chunk_size(118800), 2048);
}

TEST(Reference, AgreesWithAPlainTranscription) {
  for (const int64_t stride : {8, 16}) {
    const BlockGrid grid = {900, 40, 128, stride};
    const auto inputs = testing::structured_inputs(900, 2, 16, 4);
    const std::vector<double> taus = {0.9, 0.6};
    const auto sums = score_blocks_reference(inputs.q, inputs.k, grid);
    const auto mask = select_blocks_reference(sums, taus, grid);
    ASSERT_EQ(mask.sizes(), at::IntArrayRef({2, 8, 8}));
    for (int64_t head = 0; head < 2; ++head) {
      const auto want =
          plain_sums(inputs.q.select(1, head), inputs.k.select(1, head), stride, 2048);
      for (int64_t query = 0; query < 8; ++query) {
        const auto& row = want[static_cast<size_t>(query)];
        const auto got = sums[head][query].to(at::kDouble);
        EXPECT_LT((got - at::tensor(row)).abs().max().item<double>(), 2e-5);
        const auto selected = plain_selection(row, taus[static_cast<size_t>(head)], 8);
        EXPECT_TRUE(at::equal(mask[head][query].to(at::kLong), at::tensor(selected)))
            << "stride " << stride << " head " << head << " row " << query;
      }
    }
  }
}

TEST(Reference, PaddedKeysTakeMassAndBlockZeroIsAlwaysThere) {
  const BlockGrid grid = {1000, 0, 128, 8};
  auto inputs = testing::structured_inputs(1000, 1, 64, 5);
  inputs.q = at::ones_like(inputs.q);
  inputs.k = at::full_like(inputs.k, -2.0);  // every true logit is -16: padding has all the mass
  const std::vector<double> taus = {0.9};
  const auto sums = score_blocks_reference(inputs.q, inputs.k, grid);
  EXPECT_LT(sums[0][0].slice(0, 0, 7).sum().item<double>(), 1e-4);
  const auto mask = select_blocks_reference(sums, taus, grid);
  // of what lies inside of the sequence only the last block, which padding reaches, may be taken
  EXPECT_TRUE(mask[0].select(1, 0).all().item<bool>());
  EXPECT_FALSE(mask[0].slice(1, 1, 7).any().item<bool>());
}

TEST(Reference, NanSelectsBlockZeroAlone) {
  const BlockGrid grid = {512, 0, 128, 8};
  auto inputs = testing::structured_inputs(512, 1, 64, 6);
  inputs.k[5].fill_(std::nan(""));
  const std::vector<double> taus = {0.9};
  const auto mask =
      select_blocks_reference(score_blocks_reference(inputs.q, inputs.k, grid), taus, grid);
  EXPECT_TRUE(at::equal(mask[0][2], at::tensor({1, 0, 0, 0}).ne(0)));
}

TEST(Reference, HasNoCausalForm) {
  const auto inputs = testing::structured_inputs(512, 1, 64, 7);
  EXPECT_THROW(score_blocks_reference(inputs.q, inputs.k, {512, 0, 128, 8, true}), ShapeError);
}

}  // namespace
}  // namespace reel::attention
