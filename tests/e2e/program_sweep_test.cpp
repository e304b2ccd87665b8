// sweep and calibrate, as their users run them.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/e2e/program_fixture.h"

namespace reel::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

class ProgramSweep : public ProgramTest {
 protected:
  ProgramSweep() { folder_.write("prompts.txt", "a red ball\na blue star\n"); }

  Arguments small(const Arguments& first, const std::filesystem::path& folder,
                  const Arguments& more = {}) const {
    return first + Arguments{"--model",      model().string(),
                             "--output-dir", folder.string(),
                             "-W",           "160",
                             "-H",           "128",
                             "--frames",     "9",
                             "--steps",      "3",
                             "--block",      "64"} +
           more;
  }
  Arguments sweep(const Arguments& more = {}) const {
    return small({"sweep", (folder_ / "prompts.txt").string()}, folder_ / "out", more);
  }
  Arguments calibrate(const Arguments& more = {}) const {
    return small({"calibrate", "--prompts", (folder_ / "prompts.txt").string()}, folder_ / "out",
                 more);
  }
};

TEST_F(ProgramSweep, ComparesEveryCellOfTheGridWithDense) {
  const Arguments grid = {"--grid", "tau=0.4,1; dense-steps=1,2", "--probe-recall", "--lossless"};
  const auto run = run_program(sweep(grid));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("tau=0.4, dense-steps=1"));
  const auto result = json::parse(std::ifstream(folder_ / "out/sweep.json"));
  const auto& settings = result.at("settings");
  ASSERT_EQ(settings.size(), 4U);
  for (const auto& setting : settings) EXPECT_EQ(setting.at("clips"), 2);
  const auto& few = settings[0];
  const auto& all = settings[2];
  EXPECT_EQ(all.at("name"), "tau=1, dense-steps=1");
  EXPECT_LT(few.at("density"), all.at("density"));
  EXPECT_LT(few.at("recall"), all.at("recall"));
  EXPECT_LT(few.at("psnr"), all.at("psnr"));
  EXPECT_TRUE(few.at("density_front").get<bool>());
  EXPECT_THAT(read_bytes(folder_ / "out/sweep.csv"), HasSubstr("\"tau=1, dense-steps=2\","));
  EXPECT_THAT(read_bytes(folder_ / "out/sweep.svg"), HasSubstr("polyline"));

  const auto again = run_program(sweep(grid));  // nothing is left to render
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.out, run.out);
}

TEST_F(ProgramSweep, RefusesGridsAndLinesThatDecideTheSameThing) {
  expect_refused(
      sweep({"--grid", "tua=0.5; tau=0.5,0.5; stride=x; tau"}), 2,
      {"--grid: unknown key: got tua; did you mean tau?", "--grid: tau: got 0.5 twice",
       "--grid: stride: wrong value: got 'x'", "--grid: tau: no value", "--grid: tau: came twice"});
  folder_.write("prompts.txt", "");
  folder_.write("jobs.jsonl", "{\"prompt\": \"x\", \"tau\": 0.5}\n");
  expect_refused(small({"sweep", (folder_ / "jobs.jsonl").string()}, folder_ / "out"), 2,
                 {"jobs.jsonl:1: tau: the sweep decides this"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(ProgramSweep, CalibratesATableThatKeepsToItsBudgetAndSaysWhatItDoes) {
  const auto run = run_program(
      calibrate({"--tau", "0.6", "--dense-steps", "1", "--levels", "0.2,0.4,0.6,0.8,1"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto table_file = folder_ / "out/head_tau.json";
  EXPECT_THAT(run.out, HasSubstr("--head-tau " + table_file.string()));
  EXPECT_THAT(run.err, HasSubstr("a tau a head   : density "));
  const auto clips = json::parse(std::ifstream(folder_ / "out/compare.json")).at("settings");
  ASSERT_EQ(clips.size(), 3U);
  EXPECT_EQ(clips[2].at("name"), "a tau a head");
  EXPECT_LT(clips[2].at("density"), 1.0);

  const auto curves = json::parse(std::ifstream(folder_ / "out/curves.json"));
  const auto table = json::parse(std::ifstream(table_file)).at("tau");
  double uniform = 0, chosen = 0;
  for (const auto& head : curves.at("heads")) {
    const double tau = table[head.at("layer").get<size_t>()][head.at("head").get<size_t>()];
    for (size_t level = 0; level < curves.at("tau").size(); ++level) {
      const double density = head.at("density")[level];
      if (curves.at("tau")[level] == 0.6) uniform += density;
      if (curves.at("tau")[level] == tau) chosen += density;
    }
  }
  EXPECT_LE(chosen, uniform + 1e-9);
  EXPECT_GT(chosen, 0.0);

  const auto use =
      run_program(generate(folder_ / "clip.mp4", {"--head-tau", table_file.string(),
                                                  "--dense-steps", "1", "--block", "64"}));
  EXPECT_EQ(use.exit_code, 0) << use.err;
}

TEST_F(ProgramSweep, CalibratesWithoutRenderingAnySparseClipIfSoAsked) {
  const auto run = run_program(calibrate({"--dense-steps", "1", "--no-check", "--budget", "0.9"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out/head_tau.json"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/compare.json"));
  EXPECT_THAT(run.err, Not(HasSubstr("sparse, density")));
}

TEST_F(ProgramSweep, RefusesCalibrationsThatCannotBe) {
  expect_refused(calibrate({"--budget", "1.5", "--levels", "0.5,x", "--rule", "top-k=2"}), 2,
                 {"--budget: out of range: got 1.5", "--levels: not a threshold: got x",
                  "--rule: cannot be given here"});
  expect_refused(calibrate({"--dense-steps", "1", "--budget", "0.0001", "--quiet"}), 2,
                 {"--budget: too small: got 0.0001"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/head_tau.json"));
}

}  // namespace
}  // namespace reel::testing
