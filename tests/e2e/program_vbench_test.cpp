// `vbench prepare | run | check | evaluate | score` as users run them.
#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sstream>

#include "tests/e2e/batch_fixture.h"
#include "tests/support/compare.h"

namespace reel::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;

class ProgramVbench : public BatchTest {
 protected:
  std::string info() const { return data_file("vbench/info.json"); }
  std::string jobs() const { return folder_ / "jobs.jsonl"; }

  ProgramRun prepare(const Arguments& more = {}) {
    return run_program(Arguments{"vbench", "prepare", "-o", jobs(), "--info", info()} + more);
  }

  // `vbench run` with the flags of a small batch.
  ProgramRun run(const Arguments& more = {}) {
    Arguments arguments = batch(jobs(), more);
    arguments[0] = "run";
    return run_program(Arguments{"vbench"} + arguments);
  }

  // A program that writes results as VBench does, and its arguments into a file a call. It fails
  // for the dimension in the file `broken`.
  std::string fake_vbench() const {
    const fs::path file = folder_.write("fake vbench", R"sh(#!/bin/sh
here=$(dirname "$0")
for word; do printf '%s\n' "$word"; done > "$here/call-$5.txt"
[ "$(cat "$here/broken" 2>/dev/null)" != "$5" ] || exit 3
printf '{"%s": [0.5, [{"video_path": "x", "video_results": 0.5}]]}' "$5" \
  > "$7/results_2026-01-31_eval_results.json"
)sh");
    fs::permissions(file, fs::perms::owner_all);
    return file;
  }

  ProgramRun evaluate(const Arguments& more = {}) {
    return run_program(Arguments{"vbench", "evaluate", run_folder(), "--vbench", fake_vbench()} +
                       more);
  }
};

TEST_F(ProgramVbench, GoesFromAPromptListToAScore) {
  EXPECT_EQ(prepare({"--samples", "2"}).exit_code, 0);
  const auto rendered = run({"--keep-going"});
  EXPECT_EQ(rendered.exit_code, 0) << rendered.err;
  EXPECT_THAT(rendered.err, HasSubstr("0.208 s is below 5.0 s: VBench's standard mode"));
  EXPECT_EQ(videos().size(), 6u);
  EXPECT_THAT(videos(), Contains("A quiet façade at dusk, static camera.-1.mp4"));
  const auto again = run();
  EXPECT_THAT(again.err, HasSubstr("6 of 6 jobs done, 0 rendered now"));

  const auto check = run_program({"vbench", "check", run_folder()});
  EXPECT_EQ(check.exit_code, 0) << check.out;
  EXPECT_THAT(check.out, HasSubstr("temporal_flickering          2 of 2"));

  const auto evaluated = evaluate({"--info", info()});
  EXPECT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_THAT(evaluated.out, HasSubstr("dynamic_degree\n"));
  EXPECT_THAT(read_bytes(folder_ / "call-color.txt"), HasSubstr("--full_json_dir\n"));

  const auto score = run_program({"vbench", "score", "dense=" + (run_folder() / "vbench").string(),
                                  "--html", folder_ / "s.html", "--markdown", folder_ / "s.md"});
  EXPECT_EQ(score.exit_code, 5);
  EXPECT_THAT(score.out, HasSubstr("| color | 50.00 |"));
  EXPECT_THAT(score.out, HasSubstr("INCOMPLETE, 6 of 16 dimensions"));
  EXPECT_EQ(read_bytes(folder_ / "s.md"), score.out);
  EXPECT_THAT(read_bytes(folder_ / "s.html"), HasSubstr("INCOMPLETE"));
}

TEST_F(ProgramVbench, EvaluatesWithArgumentVectorsAndGoesOnWhereItStopped) {
  EXPECT_EQ(prepare({"--samples", "1"}).exit_code, 0);
  EXPECT_EQ(run().exit_code, 0);
  folder_.write("broken", "color");
  const auto first = evaluate();
  EXPECT_EQ(first.exit_code, 5);
  EXPECT_THAT(first.err, HasSubstr("color: "));
  EXPECT_EQ(read_bytes(folder_ / "call-dynamic_degree.txt"),
            fmt::format("evaluate\n--videos_path\n{0}/videos\n--dimension\ndynamic_degree\n"
                        "--output_path\n{0}/vbench/dynamic_degree.part\n",
                        run_folder().string()));
  fs::remove(folder_ / "broken");
  for (const char* name : {"color", "dynamic_degree"}) {
    fs::remove(folder_ / fmt::format("call-{}.txt", name));
  }
  const auto second = evaluate();
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(second.out, "color\n");
  EXPECT_FALSE(fs::exists(folder_ / "call-dynamic_degree.txt"));
}

TEST_F(ProgramVbench, DoesNotEvaluateHalfASet) {
  EXPECT_EQ(prepare({"--samples", "1"}).exit_code, 0);
  EXPECT_EQ(run({"--shard", "1/2"}).exit_code, 0);
  const auto check = run_program({"vbench", "check", run_folder(), "--json"});
  EXPECT_EQ(check.exit_code, 5);
  const auto found = nlohmann::json::parse(check.out);
  EXPECT_EQ(found["good"], 2);
  EXPECT_EQ(found["missing"][0], "A quiet façade at dusk, static camera.-0.mp4");
  const auto refused = evaluate();
  EXPECT_EQ(refused.exit_code, 5);
  EXPECT_THAT(refused.err, HasSubstr("nothing was evaluated"));
  EXPECT_FALSE(fs::exists(folder_ / "call-color.txt"));
  EXPECT_EQ(evaluate({"--dimension", "color"}).exit_code, 0) << "its videos are all there";
  EXPECT_EQ(evaluate({"--partial"}).exit_code, 0);
}

TEST_F(ProgramVbench, EstimatesTheHoursFromOneClip) {
  EXPECT_EQ(prepare().exit_code, 0);
  const auto clip = folder_ / "clip.mp4";
  EXPECT_EQ(run_program(generate(clip)).exit_code, 0);
  const auto plan = run({"--dry-run", "--measured", clip});
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_THAT(plan.out,
              ::testing::ContainsRegex(
                  "time       about [0-9:]+ for what is to do \\([0-9.]+ hours of one CPU "
                  "process\\), measured on .*clip.mp4"));
  const auto refused = run({"--dry-run", "--measured", info()});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("info.json: holds no times"));
}

TEST_F(ProgramVbench, SaysWhatIsMissing) {
  EXPECT_EQ(prepare().exit_code, 0);
  expect_refused({"vbench", "evaluate", run_folder()}, 2, {"no vbench.json in it"});
  expect_refused({"vbench", "prepare", "-o", jobs()}, 2, {"--info: is missing"});
  expect_refused({"vbench", "prepare", "--info", info(), "-o", "x.txt", "--every", "0"}, 2,
                 {"--every: too small: got 0", "--output: want FILE.jsonl: got x.txt"});
  expect_refused({"vbench", "prpare"}, 2, {"did you mean vbench prepare?"});
  folder_.write("plain.txt", "a cat\n");
  Arguments plain = batch(folder_ / "plain.txt");
  plain[0] = "run";
  expect_refused(Arguments{"vbench"} + plain, 2, {"want a list made by vbench prepare"});
}

// As long and as varied as the real list: 946 entries, two prompts twice, one that is not ASCII.
TEST_F(ProgramVbench, PreparesAListOfTheRealSize) {
  nlohmann::json list = nlohmann::json::array();
  std::string long_prompts;
  for (int i = 0; i < 946; ++i) {
    const int number = i == 900 || i == 901 ? i - 30 : i;
    std::string prompt = fmt::format("scene number {} of {}, \"quoted\" & $HOME", number,
                                     number == 500 ? "façades" : "many things");
    prompt.resize(prompt.size() + static_cast<size_t>(number % 100), 'x');
    list.push_back({{"prompt_en", prompt},
                    {"dimension", {number % 2 == 0 ? "temporal_flickering" : "scene"}},
                    {"auxiliary_info", {{"scene", {{"scene", {{"scene", "alley"}}}}}}}});
    long_prompts += fmt::format("long text {} {}\n", number, std::string(880, 'y'));
  }
  const auto file = folder_.write("full.json", list.dump(4));
  const auto run = run_program({"vbench", "prepare", "--info", file, "-o", jobs(), "--long",
                                folder_.write("long.txt", long_prompts)});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("946 entries, 944 prompts, 4720 videos"));
  std::istringstream lines(read_bytes(jobs()));
  size_t num_videos = 0;
  for (std::string line; std::getline(lines, line);) {
    num_videos += nlohmann::json::parse(line)["seeds"].size();
  }
  EXPECT_EQ(num_videos, 4720u);
  Arguments dry = batch(jobs(), {"--dry-run"});
  dry[0] = "run";
  const auto plan = run_program(Arguments{"vbench"} + dry);
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("4720 of 4720 in the list"));
}

}  // namespace
}  // namespace reel::testing
