#include "vbench/score.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"

namespace reel::vbench {
namespace {

using ::testing::HasSubstr;

// HunyuanVideo's entry on the leaderboard (spec/cli-and-vbench.md 3.5).
RawScores leaderboard_entry() {
  return {{"subject_consistency", 0.9737},
          {"background_consistency", 0.9776},
          {"temporal_flickering", 0.9944},
          {"motion_smoothness", 0.9899},
          {"dynamic_degree", 0.7083},
          {"aesthetic_quality", 0.6036},
          {"imaging_quality", 0.6756},
          {"object_class", 0.8610},
          {"multiple_objects", 0.6855},
          {"human_action", 0.9440},
          {"color", 0.9160},
          {"spatial_relationship", 0.6868},
          {"scene", 0.5388},
          {"appearance_style", 0.1980},
          {"temporal_style", 0.2389},
          {"overall_consistency", 0.2644}};
}

TEST(Score, GivesThePublishedTotals) {
  const auto scores = compute_scores("hunyuan", leaderboard_entry());
  EXPECT_EQ(fmt::format("{:.2f}", *scores.quality * 100), "85.09");
  EXPECT_EQ(fmt::format("{:.2f}", *scores.semantic * 100), "75.82");
  EXPECT_EQ(fmt::format("{:.2f}", *scores.total * 100), "83.24");
}

TEST(Score, LeavesOutWhatIsIncompleteAndSaysSo) {
  auto raw = leaderboard_entry();
  raw.erase("scene");
  const auto scores = compute_scores("hunyuan", raw);
  EXPECT_TRUE(scores.quality);
  EXPECT_FALSE(scores.semantic);
  EXPECT_FALSE(scores.total);
  const std::string table = scores_markdown({scores});
  EXPECT_THAT(table, HasSubstr("| Total | - |"));
  EXPECT_THAT(table, HasSubstr("INCOMPLETE, 15 of 16 dimensions; without a result: scene"));
  EXPECT_THAT(scores_html({scores}), HasSubstr("INCOMPLETE"));
  EXPECT_TRUE(scores_json({scores})["systems"][0]["total"].is_null());
}

TEST(Score, ReadsResultsFromAFolder) {
  const testing::TempFolder folder;
  folder.write("color/results_2026-01-01_eval_results.json", R"({"color": [0.5, [{"a": 1}]]})");
  folder.write("color/results_2026-01-02_eval_results.json", R"({"color": [0.75, []]})");
  folder.write("color/results_2026-01-02_full_info.json", R"([{"prompt_en": "x"}])");
  folder.write("b_eval_results.json", R"({"imaging quality": [67.5, []], "scene": 0.25})");
  const RawScores want = {{"color", 0.75}, {"imaging_quality", 0.675}, {"scene", 0.25}};
  EXPECT_EQ(read_scores(folder.path()), want);
}

TEST(Score, RefusesResultsThatAreNone) {
  const testing::TempFolder folder;
  const auto refusal = [&](const std::string& bytes) {
    const auto file = folder.write("r.json", bytes);
    return testing::error_of<ConfigError>([&] { read_scores(file); });
  };
  EXPECT_THAT(refusal("[1]"), HasSubstr("not a result of VBench"));
  EXPECT_THAT(refusal(R"({"color": ["x"]})"), HasSubstr("/color: not a score"));
  EXPECT_THAT(refusal(R"({"color": [1.5]})"), HasSubstr("/color: out of range: got 1.5"));
  EXPECT_THAT(refusal(R"({"colour": [0.5]})"), HasSubstr("no dimension of VBench"));
  EXPECT_THAT(testing::error_of<ConfigError>([&] { read_scores(folder / "absent"); }),
              HasSubstr("not there"));
}

TEST(Score, ComparesSystemsWithTheFirst) {
  auto sparse = leaderboard_entry();
  sparse["color"] = 0.9060;
  const std::vector<Scores> systems = {compute_scores("dense", leaderboard_entry()),
                                       compute_scores("tau <0.9>", sparse)};
  const std::string table = scores_markdown(systems);
  EXPECT_THAT(table, HasSubstr("| color | 91.60 | 90.60 | -1.00 |"));
  EXPECT_THAT(table, HasSubstr("| Total | 83.24 | 83.22 | -0.02 |"));
  const std::string page = scores_html(systems);
  EXPECT_THAT(page, HasSubstr("tau &lt;0.9&gt;"));
  EXPECT_THAT(page, HasSubstr("<td>color</td><td>91.60</td><td>90.60</td><td>-1.00</td>"));
}

}  // namespace
}  // namespace reel::vbench
