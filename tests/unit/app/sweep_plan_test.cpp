#include "app/sweep_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace reel::app {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> problems_of(const std::string& text) {
  Problems problems;
  parse_grid(text, problems);
  return problems.lines();
}

TEST(SweepGrid, CombinesAllValues) {
  Problems problems;
  const auto cells =
      parse_grid("tau=0.8,0.9; dense-steps=2,10%; rule=tau,top-ratio=0.25", problems);
  EXPECT_THAT(problems.lines(), ElementsAre());
  ASSERT_EQ(cells.size(), 8U);
  EXPECT_EQ(cells[0].name(), "tau=0.8, dense-steps=2, rule=tau");
  EXPECT_EQ(cells[1].name(), "tau=0.8, dense-steps=2, rule=top-ratio=0.25");
  EXPECT_EQ(cells[7].name(), "tau=0.9, dense-steps=10%, rule=top-ratio=0.25");
  EXPECT_EQ(cells[7].file_name(), "tau0.9_dense-steps10__ruletop-ratio0.25");
}

TEST(SweepGrid, NamesEveryMistake) {
  EXPECT_THAT(problems_of("tua=0.8"),
              ElementsAre("--grid: unknown key: got tua; did you mean tau?"));
  EXPECT_THAT(
      problems_of("tau=0.8,x; stride=8.5; block="),
      ElementsAre("--grid: tau: wrong value: got 'x'", "--grid: stride: wrong value: got '8.5'",
                  "--grid: block: no value: want KEY=VALUE,..."));
  EXPECT_THAT(problems_of("tau=0.8,0.8"), ElementsAre("--grid: tau: got 0.8 twice"));
  EXPECT_THAT(problems_of("tau=0.8; tau=0.9"), ElementsAre("--grid: tau: came twice"));
  EXPECT_THAT(problems_of(" "), ElementsAre("--grid: names no setting: want \"tau=0.8,0.9\", say"));
}

}  // namespace
}  // namespace reel::app
