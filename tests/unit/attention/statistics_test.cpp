#include "attention/statistics.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "core/error.h"

namespace reel::attention {
namespace {

TEST(Statistics, AveragesCallsOfOneStepAndLayer) {
  Statistics statistics;
  statistics.add_call(0, 0, std::vector<double>{1.0, 1.0}, false);
  statistics.add_call(1, 0, std::vector<double>{0.2, 0.4}, true);
  statistics.add_call(1, 0, std::vector<double>{0.4, 0.4}, true);
  EXPECT_NEAR(statistics.density(1, 0)[0], 0.3, 1e-12);
  EXPECT_NEAR(statistics.density(1, 0)[1], 0.4, 1e-12);
  EXPECT_NEAR(statistics.mean_density(1), 0.35, 1e-12);
  EXPECT_NEAR(statistics.mean_sparse_density(), 0.35, 1e-12);
  EXPECT_NEAR(statistics.mean_density(), (2.0 + 0.2 + 0.4 + 0.4 + 0.4) / 6, 1e-12);
  EXPECT_EQ(statistics.times(1).num_sparse_calls, 2);
  EXPECT_EQ(statistics.times(0).num_dense_calls, 1);
}

TEST(Statistics, TakesPendingCallsWhenItSettles) {
  Statistics statistics;
  statistics.add_pending_call(1, 0,
                              {{{2, 0}, HeadDensity({0.25, 0.5})}, {{1}, HeadDensity({1.0})}});
  EXPECT_TRUE(statistics.density(1, 0).empty());
  statistics.settle();
  EXPECT_EQ(statistics.density(1, 0), (std::vector<double>{0.5, 1.0, 0.25}));
  EXPECT_EQ(statistics.times(1).num_sparse_calls, 1);
  statistics.settle();
  EXPECT_EQ(statistics.times(1).num_sparse_calls, 1);
}

TEST(Statistics, WritesEveryStepLayerAndHead) {
  Statistics statistics;
  statistics.add_call(0, 1, std::vector<double>{1.0, 1.0}, false);
  statistics.add_call(1, 0, std::vector<double>{0.25, 0.5}, true);
  const auto json = statistics.density_json();
  EXPECT_EQ(json.at("format"), 1);
  EXPECT_EQ(json.at("density").at(1).at(0), nlohmann::json({0.25, 0.5}));
  EXPECT_TRUE(json.at("density").at(0).at(0).is_null());
  EXPECT_EQ(json.at("by_step"), nlohmann::json({1.0, 0.375}));
}

TEST(Statistics, TensorOfAStepHasARowALayer) {
  Statistics statistics;
  statistics.add_call(0, 0, std::vector<double>{0.25, 0.5}, true);
  statistics.add_call(0, 1, std::vector<double>{1.0, 0.75}, true);
  const auto want = at::tensor({0.25F, 0.5F, 1.0F, 0.75F}).view({2, 2});
  EXPECT_TRUE(at::equal(statistics.step_density(0), want));
}

TEST(Statistics, AddsUpStageTimesOfAStep) {
  Statistics statistics;
  const auto start = TimePoint::now(at::kCPU);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const auto end = TimePoint::now(at::kCPU);
  statistics.add_times(3, {start, end, end, end});
  statistics.add_times(3, {start, start, start, end});
  EXPECT_EQ(statistics.times(3).score_ms, 0) << "pending until settled";
  statistics.settle();
  EXPECT_GE(statistics.times(3).score_ms, 2);
  EXPECT_EQ(statistics.times(3).select_ms, 0);
  EXPECT_EQ(statistics.times(3).attend_ms, statistics.times(3).score_ms);
  EXPECT_EQ(statistics.total_times().attend_ms, statistics.times(3).attend_ms);
}

TEST(Statistics, RefusesAChangedNumberOfHeads) {
  Statistics statistics;
  statistics.add_call(0, 0, std::vector<double>{1.0, 1.0}, false);
  EXPECT_THROW(statistics.add_call(0, 0, std::vector<double>{1.0}, false), ShapeError);
}

}  // namespace
}  // namespace reel::attention
