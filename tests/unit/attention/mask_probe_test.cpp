// The blocks of chosen heads, against what the calls themselves attend to.
#include "attention/mask_probe.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "attention/attention.h"
#include "tests/unit/attention/implementations.h"

namespace reel::attention {

// How GoogleTest names them in its messages.
void PrintTo(const LayerHead& head, std::ostream* stream) {
  *stream << head.layer << ":" << head.head;
}
void PrintTo(const HeadCall& call, std::ostream* stream) {
  *stream << "step " << call.step << ", " << call.layer << ":" << call.head;
}

namespace {

using ::testing::ElementsAre;

constexpr int64_t kText = 40;
constexpr int64_t kHeads = 4;

AttentionSchedule schedule(int64_t num_steps, int64_t num_layers, const std::string& dense_layers,
                           const std::string& dense_steps = "1") {
  ScheduleOptions options;
  options.tau = 0.6;
  options.block = 64;
  options.dense_steps = dense_steps;
  options.dense_layers = dense_layers;
  return AttentionSchedule::make(
      options,
      {.num_steps = num_steps, .num_layers = num_layers, .num_heads = kHeads, .sigmas = {}});
}

at::Tensor call(Attention& attention, int64_t step, int64_t layer, const testing::Inputs& inputs) {
  return attention.at_step(step)(inputs.q.unsqueeze(0), inputs.k.unsqueeze(0),
                                 inputs.v.unsqueeze(0), kText, layer);
}

TEST(SpreadHeads, TakesHeadsOfDifferentLayersOverTheWholeModel) {
  EXPECT_THAT(spread_heads(schedule(4, 10, ""), 4),
              ElementsAre(LayerHead{0, 0}, LayerHead{3, 1}, LayerHead{6, 2}, LayerHead{9, 3}));
  EXPECT_THAT(spread_heads(schedule(4, 2, ""), 4), ElementsAre(LayerHead{0, 0}, LayerHead{1, 2}));
  EXPECT_THAT(spread_heads(schedule(4, 10, ""), 1), ElementsAre(LayerHead{0, 0}));
}

TEST(SpreadHeads, LeavesOutLayersThatAreAlwaysDense) {
  EXPECT_THAT(spread_heads(schedule(4, 5, "0-2"), 4),
              ElementsAre(LayerHead{3, 0}, LayerHead{4, 2}));
  EXPECT_TRUE(spread_heads(AttentionSchedule(), 4).empty());
}

TEST(CallsToShow, AreTheFirstTheMiddleAndTheLastSparseStep) {
  EXPECT_THAT(calls_to_show(schedule(10, 2, "", "3"), {{1, 2}}),
              ElementsAre(HeadCall{3, 1, 2}, HeadCall{6, 1, 2}, HeadCall{9, 1, 2}));
  EXPECT_THAT(calls_to_show(schedule(2, 2, "0"), {{0, 1}, {1, 1}}), ElementsAre(HeadCall{1, 1, 1}));
}

TEST(MaskProbe, RecordsWhatTheHeadAttendsTo) {
  const auto inputs = testing::structured_inputs(900, kHeads, 32, 3);
  Attention attention(schedule(2, 2, ""));
  attention.probe_masks(MaskProbe({{1, 0, 2}, {1, 1, 0}}));
  for (int64_t step = 0; step < 2; ++step) {
    for (int64_t layer = 0; layer < 2; ++layer) call(attention, step, layer, inputs);
  }
  const auto& masks = attention.masks()->masks();
  ASSERT_EQ(masks.size(), 2);
  EXPECT_EQ(masks[0].call, (HeadCall{1, 0, 2}));
  EXPECT_EQ(masks[0].num_blocks, 15);
  EXPECT_EQ(masks[0].cells.sizes(), at::IntArrayRef({15, 15}));
  EXPECT_NEAR(masks[0].density, attention.statistics().density(1, 0)[2], 1e-6);
  EXPECT_LT(masks[0].density, 1.0);
  EXPECT_NEAR(masks[0].cells.ne(0).to(at::kFloat).mean().item<double>(), masks[0].density, 1e-6);

  // Attending to these blocks alone gives what the head gave.
  const at::Tensor plain = call(attention, 1, 0, inputs);
  at::Tensor plan = at::ones({kHeads, 15, 15}, at::kByte);
  plan[2] = masks[0].cells.ne(0);
  attention.give_plan(plan);
  EXPECT_TRUE(plain.select(2, 2).equal(call(attention, 1, 0, inputs).select(2, 2)));
}

TEST(MaskProbe, LeavesResultsAsTheyAreAndRecordsACallOnce) {
  const auto inputs = testing::structured_inputs(900, kHeads, 32, 4);
  Attention plain(schedule(2, 2, ""));
  Attention probed = plain;
  probed.probe_masks(MaskProbe({{1, 1, 3}}));
  for (int pass = 0; pass < 2; ++pass) {  // a second one as guidance makes it
    EXPECT_TRUE(call(plain, 1, 1, inputs).equal(call(probed, 1, 1, inputs)));
  }
  EXPECT_EQ(probed.masks()->masks().size(), 1);
  EXPECT_GT(probed.probe_ms(), 0);
  EXPECT_FALSE(probed.masks()->wants(1, 1));
}

TEST(MaskProbe, DrawsManyBlocksWithFewerCells) {
  const int64_t tokens = 64 * 200 + kText;
  const auto inputs = testing::structured_inputs(tokens, kHeads, 16, 5);
  const auto plan = schedule(2, 1, "");
  MaskProbe probe({{1, 0, 0}});
  probe.measure(plan, inputs.q.unsqueeze(0), inputs.k.unsqueeze(0), kText, 1, 0);
  const auto& mask = probe.masks().front();
  EXPECT_EQ(mask.num_blocks, 201);
  EXPECT_EQ(mask.cells.sizes(), at::IntArrayRef({MaskProbe::kMostCells, MaskProbe::kMostCells}));
  EXPECT_EQ(mask.cells[127][127].item<int>(), 255) << "text is always attended to";
  EXPECT_NEAR(mask.cells.to(at::kDouble).mean().item<double>() / 255, mask.density, 0.03);
}

}  // namespace
}  // namespace reel::attention
