// Other selections and the recall probe, as a user asks for them.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "media/video_facts.h"
#include "tests/e2e/program_fixture.h"

namespace reel::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class ProgramSelect : public ProgramTest {
 protected:
  // 256 x 256: 64 x 1 tokens and more, so that there are several blocks to choose from
  Arguments sparse(const char* name, const Arguments& more) const {
    return generate(folder_ / name, Arguments{"-W", "256", "-H", "256", "--attn", "xattn",
                                              "--block", "64", "--dense-steps", "1"} +
                                        more);
  }
};

TEST_F(ProgramSelect, KeepsTheSelectionInTheVideoAndInTheDensity) {
  const auto run = run_program(sparse("a.mp4", {"--select", "diagonal", "--rule", "top-k=2"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto metadata = json::parse(media::read_video_facts(folder_ / "a.mp4").comment);
  EXPECT_EQ(metadata.at("attention").at("select"), "diagonal");
  EXPECT_EQ(metadata.at("attention").at("rule"), "top-k=2");
  EXPECT_LT(metadata.at("density").at("mean_sparse"), 0.9);
}

TEST_F(ProgramSelect, PrintsItBeforeTheRun) {
  const auto run = run_program(
      sparse("a.mp4", {"--select", "mean-pool", "--rule", "top-ratio=0.25", "--dry-run"}));
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("select mean-pool, rule top-ratio=0.25"));
  expect_refused(sparse("a.mp4", {"--select", "slash", "--rule", "top-k=0"}), 2,
                 {"--select: unknown pattern: got slash", "--rule: unknown rule: got top-k=0"});
}

TEST_F(ProgramSelect, WritesTheRecallOfEveryStepAndHeadWithoutChangingTheClip) {
  const Arguments few = {"--rule", "top-k=1"};
  ASSERT_EQ(run_program(sparse("plain.mp4", few)).exit_code, 0);
  const auto file = (folder_ / "recall.json").string();
  const auto run = run_program(sparse("probed.mp4", few + Arguments{"--probe-recall", file}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto hash = [&](const char* name) {
    return json::parse(media::read_video_facts(folder_ / name).comment).at("latents_sha256");
  };
  EXPECT_EQ(hash("plain.mp4"), hash("probed.mp4"));
  const auto recall = json::parse(read_bytes(file));
  ASSERT_EQ(recall.at("recall").size(), 2U);
  EXPECT_EQ(recall.at("dense")[0][0], true);
  EXPECT_EQ(recall.at("dense")[1][0], false);
  for (const auto& layer : recall.at("recall")[1]) {
    for (const auto& head : layer) {
      EXPECT_GT(head, 0.0);
      EXPECT_LT(head, 1.0);
    }
  }
  EXPECT_GT(recall.at("mean"), 0.0);
  EXPECT_LT(recall.at("mean"), 1.0);
}

}  // namespace
}  // namespace reel::testing
