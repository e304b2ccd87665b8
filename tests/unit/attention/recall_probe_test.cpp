// True recall, and what a run keeps of it.
#include "attention/recall_probe.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "attention/oracle.h"
#include "attention/true_recall.h"
#include "tests/unit/attention/implementations.h"

namespace reel::attention {
namespace {

constexpr int64_t kTokens = 900;
constexpr int64_t kText = 40;
constexpr int64_t kHeads = 3;
constexpr BlockGrid kGrid = {.num_tokens = kTokens, .text_length = kText, .block = 64, .stride = 8};

// Softmax of every token of every scored query block, summed over the tokens of selected blocks.
double naive_recall(const at::Tensor& q, const at::Tensor& k, const at::Tensor& mask,
                    int64_t head) {
  const at::Tensor shares = at::softmax(
      at::matmul(q.select(1, head).to(at::kDouble), k.select(1, head).to(at::kDouble).t()) /
          std::sqrt(static_cast<double>(q.size(2))),
      1);
  const auto share = shares.accessor<double, 2>();
  double sum = 0;
  const int64_t num_rows = kGrid.num_scored() * kGrid.block;
  for (int64_t row = 0; row < num_rows; ++row) {
    for (int64_t key = 0; key < kTokens; ++key) {
      const bool seen = mask[head][row / kGrid.block][key / kGrid.block].item<bool>();
      if (seen) sum += share[row][key];
    }
  }
  return sum / static_cast<double>(num_rows);
}

Attention attention_of(const ScheduleOptions& options) {
  return Attention(AttentionSchedule::make(
      options, {.num_steps = 2, .num_layers = 2, .num_heads = kHeads, .sigmas = {}}));
}

ScheduleOptions sparse_options(const std::string& dense_steps) {
  ScheduleOptions options;
  options.tau = 0.6;
  options.block = 64;
  options.dense_steps = dense_steps;
  return options;
}

at::Tensor call(Attention& attention, int64_t step, int64_t layer, const testing::Inputs& inputs) {
  return attention.at_step(step)(inputs.q.unsqueeze(0), inputs.k.unsqueeze(0),
                                 inputs.v.unsqueeze(0), kText, layer);
}

TEST(TrueRecall, IsTheMeanShareInSelectedBlocks) {
  const auto inputs = testing::structured_inputs(kTokens, 1, 32, 3);
  const std::vector<double> taus = {0.5};
  const auto mask =
      oracle_select(oracle_block_mass(inputs.q, inputs.k, kGrid), taus, kGrid, {}).ne(0);
  const auto recall = true_recall(inputs.q, inputs.k, mask, kGrid, 100);
  EXPECT_NEAR(recall[0].item<double>(), naive_recall(inputs.q, inputs.k, mask, 0), 1e-5);
  EXPECT_LT(recall[0].item<double>(), 0.95);
  EXPECT_NEAR(true_recall(inputs.q, inputs.k, at::ones_like(mask), kGrid, 4)[0].item<double>(), 1,
              1e-5);
}

TEST(RecallProbe, MeasuresEveryHeadOfSparseAndDenseCalls) {
  const auto inputs = testing::structured_inputs(kTokens, kHeads, 32, 5);
  auto attention = attention_of(sparse_options("1"));
  attention.probe_recall(8);
  call(attention, 0, 0, inputs);
  call(attention, 1, 1, inputs);
  const auto json = attention.recall()->to_json();
  EXPECT_EQ(json.at("dense"), nlohmann::json::parse("[[true,null],[null,false]]"));
  const std::vector<double> taus(kHeads, 0.6);
  const auto mask =
      oracle_select(oracle_block_mass(inputs.q, inputs.k, kGrid), taus, kGrid, {}).ne(0);
  const auto want = true_recall(inputs.q, inputs.k, mask, kGrid, 8);
  double mean = 0;
  for (int64_t head = 0; head < kHeads; ++head) {
    const double expected = want[head].item<double>();
    mean += expected / kHeads;
    EXPECT_NEAR(json["recall"][0][0][static_cast<size_t>(head)].get<double>(), expected, 1e-5);
    EXPECT_NEAR(json["recall"][1][1][static_cast<size_t>(head)].get<double>(), expected, 1e-5);
    EXPECT_NEAR(json["density"][1][1][static_cast<size_t>(head)].get<double>(),
                mask[head].to(at::kDouble).mean().item<double>(), 1e-12);
  }
  EXPECT_NEAR(json["mean"].get<double>(), mean, 1e-5);
  EXPECT_NEAR(json["mean_dense_steps"].get<double>(), mean, 1e-5);
}

TEST(RecallProbe, ChangesNoResult) {
  const auto inputs = testing::structured_inputs(kTokens, kHeads, 32, 5);
  auto plain = attention_of(sparse_options("0"));
  auto probed = attention_of(sparse_options("0"));
  probed.probe_recall(4);
  EXPECT_TRUE(at::equal(call(plain, 0, 0, inputs), call(probed, 0, 0, inputs)));
  EXPECT_FALSE(plain.recall().has_value());
}

TEST(RecallProbe, HasNothingToSayAboutDenseRuns) {
  ScheduleOptions options;
  options.mode = "dense";
  auto attention = attention_of(options);
  attention.probe_recall(4);
  call(attention, 0, 0, testing::structured_inputs(kTokens, kHeads, 32, 5));
  const auto json = attention.recall()->to_json();
  EXPECT_TRUE(json.at("mean").is_null());
  EXPECT_TRUE(json.at("recall").empty());
}

TEST(RecallProbe, AveragesCallsOfOneStepAndLayer) {
  RecallProbe probe(2);
  probe.add_call(0, 0, false, std::array{0.5, 1.0}, std::array{0.25, 0.5});
  probe.add_call(0, 0, false, std::array{0.7, 0.8}, std::array{0.75, 0.5});
  const auto json = probe.to_json();
  EXPECT_NEAR(json["recall"][0][0][0].get<double>(), 0.6, 1e-12);
  EXPECT_NEAR(json["density"][0][0][0].get<double>(), 0.5, 1e-12);
  EXPECT_NEAR(probe.mean(), 0.75, 1e-12);
}

}  // namespace
}  // namespace reel::attention
