// The table of a whole clip that benchmarks/full_video prints, and what it adds up.
#include "benchmarks/full_video_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace reel::benchmarks {
namespace {

using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

StageFigures stage(const std::string& name, const std::string& planned, double seconds,
                   int64_t bytes) {
  StageFigures figures;
  figures.name = name;
  figures.planned = planned;
  figures.seconds = seconds;
  figures.peak.tensor_bytes = bytes;
  if (planned == "denoise") figures.step.emplace().step_ms = seconds * 1e3;
  return figures;
}

FullVideoFigures measured_clip() {
  FullVideoFigures figures;
  figures.plan.stages = {{.stage = "text", .weight_bytes = 10'000'000'000},
                         {.stage = "denoise", .weight_bytes = 40'000'000'000},
                         {.stage = "decode", .weight_bytes = 30'000'000'000}};
  figures.stages = {stage("text", "text", 1, 9'000'000'000),
                    stage("step, dense", "denoise", 20, 38'000'000'000),
                    stage("step, given", "denoise", 10, 39'000'000'000),
                    stage("decode", "decode", 7, 33'000'000'000),
                    stage("decode and encode", "decode", 9, 33'000'000'000)};
  return figures;
}

TEST(FullVideoReport, AddsUpWholeClips) {
  EXPECT_THAT(measured_clip().totals(),
              UnorderedElementsAre(Pair("dense", DoubleNear(1 + 50 * 20 + 9, 1e-9)),
                                   Pair("given", DoubleNear(1 + 5 * 20 + 45 * 10 + 9, 1e-9))));
}

TEST(FullVideoReport, CountsDecodingAloneWhereNothingWasEncoded) {
  auto figures = measured_clip();
  figures.stages.pop_back();
  EXPECT_NEAR(figures.totals().at("dense"), 1 + 50 * 20 + 7, 1e-9);
}

TEST(FullVideoReport, AClipOfFewStepsIsAllDense) {
  auto figures = measured_clip();
  figures.num_steps = 3;
  EXPECT_NEAR(figures.totals().at("given"), 1 + 3 * 20 + 9, 1e-9);
}

TEST(FullVideoReport, ComparesMemoryWithThePlan) {
  const auto figures = measured_clip();
  EXPECT_THAT(table_text(figures),
              AllOf(HasSubstr("| 40.00 | 39.00 | 0.975 |"), HasSubstr("| 30.00 | 33.00 | 1.100 |"),
                    HasSubstr("| peak: step, given |")));
  const auto json = to_json(figures);
  EXPECT_EQ(json.at("stages").at(2).at("planned_gb"), 40.0);
  EXPECT_EQ(json.at("stages").at(2).at("peak_gb"), 39.0);
  EXPECT_TRUE(json.at("split").contains("given"));
}

TEST(FullVideoReport, AFailedStageLeavesTheOthers) {
  auto figures = measured_clip();
  figures.stages[2].failure = "out of memory";
  EXPECT_TRUE(figures.any_failed());
  EXPECT_EQ(figures.totals().count("given"), 0U);
  EXPECT_EQ(figures.totals().count("dense"), 1U);
  EXPECT_THAT(table_text(figures),
              AllOf(HasSubstr("| step, given | failed: out of memory |"),
                    HasSubstr("| decode | 7.000 "), Not(HasSubstr("5 dense, then given"))));
  EXPECT_EQ(to_json(figures).at("stages").at(2).at("failure"), "out of memory");

  figures.stages[1].failure = "the same";
  EXPECT_THAT(figures.totals(), IsEmpty()) << "every clip has dense steps";
}

}  // namespace
}  // namespace reel::benchmarks
