// What thresholds would do, against runs with these thresholds.
#include "attention/curve_probe.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "tests/unit/attention/implementations.h"

namespace reel::attention {
namespace {

constexpr int64_t kTokens = 900;
constexpr int64_t kText = 40;
constexpr int64_t kHeads = 3;
constexpr int64_t kSamples = 3;
const ScheduleShape kShape = {.num_steps = 2, .num_layers = 2, .num_heads = kHeads, .sigmas = {}};

// Step 0 and layer 1 are dense.
ScheduleOptions options_of(const std::string& mode, double tau) {
  ScheduleOptions options;
  options.mode = mode;
  options.tau = tau;
  options.block = 64;
  options.dense_steps = std::to_string(1);
  options.dense_layers = std::to_string(1);
  return options;
}

at::Tensor call(Attention& attention, int64_t step, int64_t layer, const testing::Inputs& inputs) {
  return attention.at_step(step)(inputs.q.unsqueeze(0), inputs.k.unsqueeze(0),
                                 inputs.v.unsqueeze(0), kText, layer);
}

TEST(CurveProbe, SaysWhatRunsWithTheseThresholdsMeasure) {
  const auto inputs = testing::structured_inputs(kTokens, kHeads, 32, 3);
  const std::vector<double> taus = {0.4, 0.7, 0.9};
  Attention dense(AttentionSchedule::make(options_of("dense", 0.9), kShape));
  dense.probe_curves(
      CurveProbe(AttentionSchedule::make(options_of("xattn", 0.9), kShape), taus, kSamples));
  for (int64_t step = 0; step < 2; ++step) {
    for (int64_t layer = 0; layer < 2; ++layer) call(dense, step, layer, inputs);
  }
  const auto& curves = dense.curves()->curves();
  EXPECT_FALSE(curves.is_measured(1, 0)) << "a layer that would be dense";
  for (size_t level = 0; level < taus.size(); ++level) {
    Attention sparse(AttentionSchedule::make(options_of("xattn", taus[level]), kShape));
    sparse.probe_recall(kSamples);
    call(sparse, 1, 0, inputs);
    const auto measured = sparse.recall()->to_json();
    for (int64_t head = 0; head < kHeads; ++head) {
      const auto curve = curves.curve(0, head);
      const auto entry = [&](const char* name) {
        return measured[name][1][0][static_cast<size_t>(head)].get<double>();
      };
      EXPECT_NEAR(curve.density[level], entry("density"), 1e-6);
      EXPECT_NEAR(curve.recall[level], entry("recall"), 1e-6);
      EXPECT_LT(curve.density[level], 1.0);
    }
  }
}

TEST(CurveProbe, LeavesResultsAsTheyAre) {
  const auto inputs = testing::structured_inputs(kTokens, kHeads, 32, 4);
  Attention plain(AttentionSchedule::make(options_of("dense", 0.9), kShape));
  Attention probed = plain;
  probed.probe_curves(
      CurveProbe(AttentionSchedule::make(options_of("xattn", 0.9), kShape), {0.9}, kSamples));
  EXPECT_TRUE(call(plain, 1, 0, inputs).equal(call(probed, 1, 0, inputs)));
  EXPECT_GT(probed.probe_ms(), 0);
}

}  // namespace
}  // namespace reel::attention
