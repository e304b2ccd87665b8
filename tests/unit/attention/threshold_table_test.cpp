// Thresholds of heads against trying every table.
#include "attention/threshold_table.h"

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <random>

#include "core/error.h"

namespace reel::attention {
namespace {

const std::vector<double> kTaus = {0.5, 0.7, 0.9};

// Densities are whole units, so that rounding plays no part.
HeadCurves random_curves(int64_t layers, int64_t heads, unsigned seed) {
  std::mt19937 generator(seed);
  HeadCurves curves(kTaus, layers, heads);
  for (int64_t layer = 0; layer < layers; ++layer) {
    for (int64_t head = 0; head < heads; ++head) {
      std::vector<double> density, recall;
      double units = 0, share = 0.2;
      for (size_t level = 0; level < kTaus.size(); ++level) {
        units += 1 + static_cast<double>(generator() % 60);
        share += static_cast<double>(generator() % 200) / 1000;
        density.push_back(units / kDensityUnits);
        recall.push_back(share);
      }
      curves.add(layer, head, density, recall);
    }
  }
  return curves;
}

double best_recall_by_trying(const HeadCurves& curves, double budget) {
  const auto num = static_cast<size_t>(curves.num_layers() * curves.num_heads());
  size_t num_tables = 1;
  for (size_t i = 0; i < num; ++i) num_tables *= kTaus.size();
  double best = -1;
  for (size_t table = 0; table < num_tables; ++table) {
    double density = 0, recall = 0;
    size_t rest = table;
    for (size_t i = 0; i < num; ++i, rest /= kTaus.size()) {
      const auto curve = curves.curve(static_cast<int64_t>(i) / curves.num_heads(),
                                      static_cast<int64_t>(i) % curves.num_heads());
      density += curve.density[rest % kTaus.size()] / static_cast<double>(num);
      recall += curve.recall[rest % kTaus.size()] / static_cast<double>(num);
    }
    if (density <= budget + 1e-12) best = std::max(best, recall);
  }
  return best;
}

TEST(ThresholdTable, IsTheBestOfAllTablesWithinTheBudget) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto curves = random_curves(2, 3, seed);
    const double least = uniform_table(curves, 0.5).density;
    const double most = uniform_table(curves, 0.9).density;
    for (const double share : {0.0, 0.3, 0.6, 1.0}) {
      const double budget = least + share * (most - least);
      const auto table = best_table(curves, budget);
      EXPECT_LE(table.density, budget + 1e-12);
      EXPECT_NEAR(table.recall, best_recall_by_trying(curves, budget), 1e-9) << seed;
    }
  }
}

TEST(ThresholdTable, KeepsNoMoreRecallThanMoreBlocksBuy) {
  HeadCurves curves(kTaus, 1, 2);
  curves.add(0, 0, std::array{0.25, 0.5, 0.75}, std::array{0.8, 0.8, 0.8});
  curves.add(0, 1, std::array{0.25, 0.5, 0.75}, std::array{0.3, 0.6, 0.9});
  const auto table = best_table(curves, 1.0);
  EXPECT_EQ(table.taus, (std::vector<std::vector<double>>{{0.5, 0.9}}));
  EXPECT_NEAR(table.density, 0.5, 1e-12);
  EXPECT_EQ(table.to_json().dump(), R"({"format":1,"tau":[[0.5,0.9]]})");
}

TEST(ThresholdTable, NeverExceedsTheBudgetWhereDensitiesAreRounded) {
  HeadCurves curves(kTaus, 1, 3);
  for (int64_t head = 0; head < 3; ++head) {
    curves.add(0, head, std::array{0.1001, 0.2002, 0.3003}, std::array{0.5, 0.6, 0.7});
  }
  EXPECT_LE(best_table(curves, 0.2002).density, 0.2002);
}

TEST(ThresholdTable, AveragesCallsAndRuns) {
  HeadCurves curves({0.9}, 1, 1), other({0.9}, 1, 1);
  curves.add(0, 0, std::array{0.2}, std::array{0.8});
  other.add(0, 0, std::array{0.4}, std::array{0.6});
  curves.add(other);
  EXPECT_NEAR(curves.curve(0, 0).density[0], 0.3, 1e-12);
  EXPECT_NEAR(curves.curve(0, 0).recall[0], 0.7, 1e-12);
}

TEST(ThresholdTable, RefusesABudgetThatNothingMeets) {
  const auto curves = random_curves(1, 2, 1);
  try {
    best_table(curves, 0.0);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_EQ(std::string(error.what()).find("--budget: too small: got 0, but tau = 0.5 needs "),
              0U);
  }
}

TEST(ThresholdTable, RefusesCurvesOfNoHead) {
  const HeadCurves curves(kTaus, 1, 2);
  EXPECT_THROW(best_table(curves, 0.5), ConfigError);
}

TEST(ThresholdTable, LeavesOutHeadsThatAreDenseAnyway) {
  HeadCurves curves(kTaus, 2, 1);
  curves.add(1, 0, std::array{0.25, 0.5, 0.75}, std::array{0.5, 0.7, 0.9});
  const auto table = best_table(curves, 0.5);
  EXPECT_EQ(table.taus, (std::vector<std::vector<double>>{{1.0}, {0.7}}));
  EXPECT_NEAR(table.density, 0.5, 1e-12);
  EXPECT_NEAR(table.recall, 0.7, 1e-12);
  EXPECT_EQ(curves.to_json()["heads"].size(), 1U);
}

}  // namespace
}  // namespace reel::attention
