// compare and metrics, as their users run them.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "media/frame_reader.h"
#include "tests/e2e/program_fixture.h"
#include "tests/support/temp_folder.h"

namespace reel::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ProgramCompare : public ProgramTest {
 protected:
  Arguments compare(const std::filesystem::path& folder, const Arguments& more = {}) const {
    return Arguments{"compare",
                     "--model",
                     model().string(),
                     "--output-dir",
                     folder.string(),
                     "-W",
                     "160",
                     "-H",
                     "128",
                     "--frames",
                     "9",
                     "--steps",
                     "3",
                     "--dense-steps",
                     "1",
                     "--quiet"} +
           more;
  }
};

TEST_F(ProgramCompare, RendersEveryPromptInEverySettingFromTheSameNoise) {
  folder_.write("prompts.txt", "# two prompts\na red ball\na blue star\n");
  const auto run = run_program(
      compare(folder_ / "out", {"--prompts", (folder_ / "prompts.txt").string(), "--with",
                                "tau=0.5, block=64; tau=1, block=64", "--crf", "0"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("tau=0.5, block=64"), HasSubstr("made twice")));

  EXPECT_TRUE(run.out.starts_with("setting ")) << run.out;
  const auto result = json::parse(std::ifstream(folder_ / "out/compare.json"));
  ASSERT_EQ(result["settings"].size(), 3);
  for (const auto& setting : result["settings"]) {
    ASSERT_EQ(setting["clips"].size(), 2);
    for (size_t i = 0; i < 2; ++i) {
      const auto& clip = setting["clips"][i];
      EXPECT_EQ(clip["noise_sha256"], result["settings"][0]["clips"][i]["noise_sha256"]);
      EXPECT_EQ(media::read_frames(folder_ / "out" / clip["video"].get<std::string>()).size(0), 9);
    }
  }
  const auto& dense = result["settings"][0];
  const auto& sparse = result["settings"][1];
  const auto& whole = result["settings"][2];
  EXPECT_EQ(result["noise_floor"]["identical"], true);
  EXPECT_EQ(dense["density"], 1.0);
  EXPECT_LT(sparse["density"], 1.0);
  EXPECT_EQ(whole["density"], 1.0);
  EXPECT_NE(sparse["clips"][0]["latents_sha256"], dense["clips"][0]["latents_sha256"]);
  EXPECT_LT(sparse["psnr"], whole["psnr"]);
  EXPECT_GT(whole["psnr"], 60.0);
  EXPECT_EQ(sparse["clips"][1]["metrics"]["by_frame"]["ssim"].size(), 9);
  EXPECT_EQ(sparse["clips"][0]["stages"].back()["name"], "decode");
  EXPECT_EQ(result["run"]["request"]["frames"], 9);
  EXPECT_FALSE(result["run"]["request"].contains("prompt"));
  const auto page = read_bytes(folder_ / "out/report.html");
  EXPECT_THAT(page, AllOf(HasSubstr("id=\"video-2-1\""), HasSubstr("\"cells\":")));
}

TEST_F(ProgramCompare, WritesNoReportIfToldSo) {
  const auto run = run_program(
      compare(folder_ / "out", {"-p", "x", "--with", "tau=0.5, block=64", "--no-report"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out/compare.json"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/report.html"));
}

TEST_F(ProgramCompare, ShowsTheBlocksOfTheHeadsThatTheUserNames) {
  const auto run = run_program(compare(folder_ / "out", {"-p", "x", "--with", "tau=0.5, block=64",
                                                         "--mask-heads", "1:1", "--lossless"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto page = read_bytes(folder_ / "out/report.html");
  EXPECT_THAT(page, HasSubstr("\"head\":1,\"layer\":1,\"side\":"));
  EXPECT_THAT(page, Not(HasSubstr("\"head\":0,\"layer\":")));
  const auto result = json::parse(std::ifstream(folder_ / "out/compare.json"));
  EXPECT_EQ(result["settings"][1]["clips"][0]["preview"], "previews/tau0.5_block64/0001.mp4")
      << "no browser plays yuv444p";
}

TEST_F(ProgramCompare, RefusesHeadsThatTheModelHasNot) {
  expect_refused(compare(folder_ / "out", {"-p", "x", "--mask-heads", "0:0, 999:0, 1, -1:2"}), 2,
                 {"--mask-heads: the model has no such head: got 999:0, want layers 0 to ",
                  "--mask-heads: not a head: got 1,", "not a head: got -1:2, want LAYER:HEAD"});
  expect_refused(compare(folder_ / "out", {"-p", "x", "--mask-heads", ","}), 2,
                 {"--mask-heads: names no head"});
}

TEST_F(ProgramCompare, RefusesWhatItCannotCompareBeforeAnyWork) {
  expect_refused(compare(folder_ / "out", {"-p", "x", "--with", "tua=0.5; tau=2; stride"}), 2,
                 {"--with: unknown key: got tua; did you mean tau?", "--tau: out of range: got 2",
                  "--with: no value: got stride"});
  expect_refused(compare(folder_ / "out"), 2, {"--prompt or --prompts", "got neither"});
  expect_refused(compare(folder_ / "out", {"-p", "x", "--json", "--progress", "json"}), 2,
                 {"--json: cannot go with --progress json"});
  folder_.write("jobs.jsonl", "{\"prompt\": \"x\", \"steps\": 4}\n");
  expect_refused(compare(folder_ / "out", {"--prompts", (folder_ / "jobs.jsonl").string()}), 2,
                 {"jobs.jsonl:1: only prompts are compared here"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(ProgramCompare, DoesNotReplaceAnEarlierComparisonUnasked) {
  std::filesystem::create_directory(folder_ / "out");
  folder_.write("out/compare.json", "{}");
  expect_refused(compare(folder_ / "out", {"-p", "x"}), 2, {"holds a comparison already"});
}

TEST_F(ProgramCompare, MetricsComparesFinishedVideos) {
  const auto video = folder_ / "clip.mp4";
  ASSERT_EQ(run_program(generate(video)).exit_code, 0);
  const auto run = run_program({"metrics", video.string(), video.string(), "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto result = json::parse(run.out);
  EXPECT_EQ(result["videos"][0]["identical"], true);
  EXPECT_NEAR(result["ssim"].get<double>(), 1.0, 1e-12);
  expect_refused({"metrics", video.string()}, 2, {"two paths are wanted"});
  expect_refused({"metrics", video.string(), video.string(), "--lpips", "none.safetensors"}, 2,
                 {"--lpips: no such file: got none.safetensors", "tools/export_lpips.py"});
  expect_refused({"metrics", video.string(), video.string(), "--lpips", video.string()}, 3, {});
  expect_refused({"metrics", video.string(), (folder_ / "none.mp4").string()}, 2,
                 {"none.mp4: does not exist"});
}

}  // namespace
}  // namespace reel::testing
