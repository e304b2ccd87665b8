// The oracle against numbers worked out by hand.
#include "attention/oracle.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"

namespace reel::attention {
namespace {

// Six tokens of one head with D = 1; blocks of 2, stride 2: a strided logit is the mean of
// q[2r+1] k[2c] and q[2r] k[2c+1].
constexpr BlockGrid kTiny = {.num_tokens = 6, .text_length = 0, .block = 2, .stride = 2};

at::Tensor column(std::initializer_list<float> values) {
  return at::tensor(values, at::kFloat).view({-1, 1, 1});
}

void expect_near(const at::Tensor& got, std::initializer_list<double> want) {
  const at::Tensor flat = got.to(at::kDouble).reshape(-1);
  ASSERT_EQ(flat.numel(), static_cast<int64_t>(want.size()));
  int64_t i = 0;
  for (const double value : want) EXPECT_NEAR(flat[i++].item<double>(), value, 1e-9) << i;
}

TEST(Oracle, SumsTheAntidiagonal) {
  const double l2 = std::log(2.0);
  // rows: (q0, q1) = (2 ln2, 0), (0, 2 ln2), (0, 0); keys (k0, k1) = (1, 0), (0, 1), (2, 1)
  const at::Tensor q = column({static_cast<float>(2 * l2), 0, 0, static_cast<float>(2 * l2), 0, 0});
  const at::Tensor k = column({1, 0, 0, 1, 2, 1});
  // logits ln2 * (0, 1, 1), ln2 * (1, 0, 2) and 0, so powers of two in the softmax
  const at::Tensor mass = oracle_block_mass(q, k, kTiny);
  const at::Tensor want =
      at::tensor({1 / 5., 2 / 5., 2 / 5., 2 / 7., 1 / 7., 4 / 7., 1 / 3., 1 / 3., 1 / 3.});
  EXPECT_LT((mass.view(-1) - want).abs().max().item<double>(), 1e-7) << mass;
}

TEST(Oracle, CausalRowsSeeEarlierColumnsOnly) {
  BlockGrid grid = kTiny;
  grid.causal = true;
  const at::Tensor zeros = column({0, 0, 0, 0, 0, 0});
  expect_near(oracle_block_mass(zeros, zeros, grid),
              {1, 0, 0, 0.5, 0.5, 0, 1 / 3., 1 / 3., 1 / 3.});
}

TEST(Oracle, TextAndRaggedBlocksTakeNoMass) {
  const BlockGrid grid = {.num_tokens = 7, .text_length = 2, .block = 2, .stride = 2};
  ASSERT_EQ(grid.num_scored(), 2);
  ASSERT_EQ(grid.num_blocks(), 4);
  const at::Tensor ones = at::ones({7, 1, 1});
  expect_near(oracle_block_mass(ones, ones, grid),
              {0.5, 0.5, 0, 0, 0.5, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
}

TEST(Oracle, TakesTheFewestBlocksThatReachTau) {
  const BlockGrid grid = {.num_tokens = 8, .text_length = 0, .block = 2, .stride = 2};
  const Protection none = {.text = true, .self = false, .sink = 0};
  at::Tensor mass = at::zeros({1, 4, 4}, at::kDouble);
  mass[0] = at::tensor({0.5, 0.25, 0.125, 0.125}).view({1, 4}).expand({4, 4});
  const auto row = [&](double tau, int64_t query) {
    const std::vector<double> taus = {tau};
    return oracle_select(mass, taus, grid, none)[0][query].to(at::kDouble);
  };
  expect_near(row(0.5, 0), {1, 0, 0, 0});
  expect_near(row(0.51, 0), {1, 1, 0, 0});
  expect_near(row(0.8, 0), {1, 1, 1, 0});  // blocks 2 and 3 are equal: 2 is nearer to 0
  expect_near(row(0.8, 3), {1, 1, 0, 1});  // and 3 is nearer to 3
  expect_near(row(1.0, 0), {1, 1, 1, 1});
}

TEST(Oracle, EquallyNearTiesGoToTheLowerIndex) {
  const BlockGrid grid = {.num_tokens = 6, .text_length = 0, .block = 2, .stride = 2};
  const at::Tensor mass = at::full({1, 3, 3}, 1.0 / 3, at::kDouble);
  const std::vector<double> taus = {0.5};
  const at::Tensor mask = oracle_select(mass, taus, grid, {true, false, 0});
  expect_near(mask[0][1], {1, 1, 0});
}

TEST(Oracle, AddsForcedBlocksAfterSelection) {
  const BlockGrid grid = {.num_tokens = 9, .text_length = 1, .block = 2, .stride = 2};
  ASSERT_EQ(grid.num_scored(), 4);
  at::Tensor mass = at::zeros({1, 5, 5}, at::kDouble);
  mass[0].slice(0, 0, 4).select(1, 2).fill_(1.0);  // everything in block 2
  const std::vector<double> taus = {0.9};
  const at::Tensor mask = oracle_select(mass, taus, grid, {true, true, 1});
  expect_near(mask[0], {1, 0, 1, 0, 1,  //
                        1, 1, 1, 0, 1,  //
                        1, 0, 1, 0, 1,  //
                        1, 0, 1, 1, 1,  //
                        1, 1, 1, 1, 1});
}

TEST(Oracle, AttendsToSelectedTokensOnly) {
  const BlockGrid grid = {.num_tokens = 4, .text_length = 0, .block = 2, .stride = 2};
  const at::Tensor q = at::zeros({4, 1, 1});
  const at::Tensor v = at::tensor({1.0F, 3.0F, 10.0F, 20.0F}).view({4, 1, 1});
  const at::Tensor mask = at::tensor({1, 0, 1, 1}, at::kByte).view({1, 2, 2});
  const auto result = oracle_attend(q, q, v, mask, grid);
  expect_near(result.out, {2, 2, 8.5, 8.5});
  expect_near(result.lse, {std::log(2.0), std::log(2.0), std::log(4.0), std::log(4.0)});
}

TEST(Oracle, FullMaskIsSoftmaxAttention) {
  const BlockGrid grid = {.num_tokens = 37, .text_length = 0, .block = 8, .stride = 4};
  NormalStream stream(3);
  const auto draw = [&] { return stream.next({37, 2, 5}).to(at::kDouble); };
  const at::Tensor q = draw(), k = draw(), v = draw();
  const auto result = oracle_attend(q, k, v, at::ones({2, 5, 5}), grid);
  const at::Tensor want =
      at::scaled_dot_product_attention(q.transpose(0, 1), k.transpose(0, 1), v.transpose(0, 1));
  EXPECT_LT((result.out.transpose(0, 1) - want).abs().max().item<double>(), 1e-12);
}

}  // namespace
}  // namespace reel::attention
