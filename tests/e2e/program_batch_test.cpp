// `batch` as users run it.
#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "tests/e2e/batch_fixture.h"
#include "tests/e2e/small_disk.h"

namespace reel::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ProgramBatch : public BatchTest {
 protected:
  ProgramRun run(const std::string& lines, const Arguments& more = {}) {
    return run_program(batch(folder_.write("jobs.jsonl", lines), more));
  }
};

// How often `messages` tell that a model has been loaded; not the lines of a slow load between.
int64_t count_loads(const std::string& messages, const std::string& model) {
  std::istringstream lines(messages);
  int64_t count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("load " + model + ":") != std::string::npos &&
        line.find(" of ") == std::string::npos) {
      ++count;
    }
  }
  return count;
}

TEST_F(ProgramBatch, RendersAListAndThenNothingTwice) {
  const auto jobs = write_jobs(3);
  const auto first = run_program(batch(jobs));
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("videos/j1_s42.mp4"));
  for (const std::string model : {"text encoders", "transformer", "vae"}) {
    EXPECT_EQ(count_loads(first.err, model), 1) << "three jobs, one load\n" << first.err;
  }
  expect_complete(3);
  const auto second = run_program(batch(jobs));
  EXPECT_EQ(second.exit_code, 0);
  EXPECT_EQ(second.out, "");
  EXPECT_THAT(second.err, HasSubstr("3 of 3 jobs done, 0 rendered now"));
  EXPECT_THAT(second.err, ::testing::Not(HasSubstr("load")));
}

TEST_F(ProgramBatch, AJobAloneHasTheLatentsThatItHasInABatch) {
  const std::string first =
      "{\"id\": \"a\", \"prompt\": \"x\", \"attn\": \"xattn\", \"tau\": 0.5, "
      "\"dense_steps\": 1}\n";
  const std::string second = "{\"id\": \"b\", \"prompt\": \"a longer prompt\", \"seed\": 9}\n";
  const std::string third = "{\"id\": \"c\", \"prompt\": \"x\", \"width\": 96, \"steps\": 3}\n";
  EXPECT_EQ(run(first + second + third + "{\"id\": \"d\", \"prompt\": \"x\"}\n").exit_code, 0);
  const auto alone = run_program(
      generate(folder_ / "alone/b.mp4", {"-p", "a longer prompt", "--seed", "9", "--threads", "1",
                                         "--output-dir", folder_ / "alone", "-o", "b.mp4"}));
  EXPECT_EQ(alone.exit_code, 0) << alone.err;
  const auto metadata = nlohmann::json::parse(read_bytes(folder_ / "alone/meta/b.json"));
  EXPECT_EQ(metadata["latents_sha256"], sidecar("b_s9")["latents_sha256"]);
  std::filesystem::remove_all(run_folder());
  EXPECT_EQ(run(third).exit_code, 0);
  const std::string hash = sidecar("c_s42")["latents_sha256"];
  std::filesystem::remove_all(run_folder());
  EXPECT_EQ(run(first + third).exit_code, 0);
  EXPECT_EQ(sidecar("c_s42")["latents_sha256"], hash);
}

TEST_F(ProgramBatch, RefusesAllBadLinesBeforeItMakesAnything) {
  folder_.write("jobs.jsonl",
                "{\"prompt\": \"a\", \"stpes\": 3}\n{\"prompt\": \"b\", \"frames\": 6}\n"
                "{\"prompt\": \"c\", \"tau\": 2}\n{\"id\": \"x\", \"prompt\": \"d\"}\n"
                "{\"id\": \"x\", \"prompt\": \"e\"}\n{\"id\": \"a/b\", \"prompt\": \"f\"}\n");
  expect_refused(
      batch(folder_ / "jobs.jsonl", {"--attn", "xattn", "--dense-steps", "1"}), 2,
      {"batch: 5 problems", "jobs.jsonl:1: stpes: unknown key; did you mean steps?",
       "jobs.jsonl:2: frames: not 4k + 1", "jobs.jsonl:3: tau:",
       "jobs.jsonl:5: output: two jobs want one name: got x_s42.mp4, also at jobs.jsonl:4",
       "jobs.jsonl:6: output: {id} cannot be in a file name: got a/b"});
  EXPECT_FALSE(std::filesystem::exists(run_folder()));
  expect_refused(batch(folder_ / "jobs.jsonl", {"--shard", "0/4", "--seed", "random"}), 2,
                 {"--shard: not a shard: got 0/4", "--seed: a batch with random seeds"});
}

TEST_F(ProgramBatch, NamesVideosAsItsTemplateSays) {
  const auto jobs =
      folder_.write("jobs.jsonl",
                    "{\"prompt\": \"A cat.\", \"seeds\": [5, 8], \"output\": "
                    "\"{prompt}-{index}.mp4\", \"tags\": {\"set\": 1}}\n"
                    "{\"id\": \"z\", \"prompt\": \"b\", \"prompt_rewritten\": \"bb\"}");
  EXPECT_EQ(run_program(batch(jobs, {"-o", "{id}-{attn}-{hash}.mp4"})).exit_code, 0);
  const auto names = videos();
  ASSERT_EQ(names.size(), 3u);
  EXPECT_EQ(names[0], "A cat.-0.mp4");
  EXPECT_EQ(names[1], "A cat.-1.mp4");
  EXPECT_THAT(names[2], ::testing::MatchesRegex("z-dense-[0-9a-f]{8}.mp4"));
  EXPECT_EQ(sidecar("A cat.-1")["request"]["seed"], 8);
  EXPECT_EQ(sidecar("A cat.-1")["job"]["tags"]["set"], 1);
  const auto rewritten = sidecar(names[2].substr(0, names[2].size() - 4));
  EXPECT_EQ(rewritten["request"]["prompt"], "bb");
  EXPECT_EQ(rewritten["job"]["prompt"], "b");
}

TEST_F(ProgramBatch, RendersAgainOnlyWhatHasOtherSettings) {
  EXPECT_EQ(run("{\"id\": \"a\", \"prompt\": \"x\"}\n{\"id\": \"b\", \"prompt\": \"y\"}").exit_code,
            0);
  const std::string hash = sidecar("b_s42")["latents_sha256"];
  const auto again =
      run("{\"id\": \"a\", \"prompt\": \"x\"}\n{\"id\": \"b\", \"prompt\": \"y\", \"steps\": 3}");
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.err, HasSubstr("2 of 2 jobs done, 1 rendered now"));
  EXPECT_NE(sidecar("b_s42")["latents_sha256"], hash);
}

TEST_F(ProgramBatch, DoesNotTouchAVideoThatItDidNotMake) {
  EXPECT_EQ(run_program(generate(folder_ / "clip.mp4")).exit_code, 0);
  std::filesystem::create_directories(run_folder() / "videos");
  std::filesystem::copy(folder_ / "clip.mp4", run_folder() / "videos/j0_s42.mp4");
  expect_refused(batch(write_jobs(1)), 2, {"j0_s42.mp4: is there already, and no batch made it"});
  EXPECT_EQ(run_program(batch(write_jobs(1), {"--overwrite"})).exit_code, 0);
  expect_complete(1);
}

// Guidance that large makes a velocity that is not finite.
constexpr const char* kOneBadJob =
    "{\"id\": \"j0\", \"prompt\": \"x\"}\n{\"id\": \"bad\", \"prompt\": \"y\", \"cfg_scale\": "
    "1e30}\n"
    "{\"id\": \"j1\", \"prompt\": \"z\"}\n";

TEST_F(ProgramBatch, StopsAtAFailureWithItsExitCode) {
  const auto run = this->run(kOneBadJob);
  EXPECT_EQ(run.exit_code, 6) << run.err;
  EXPECT_THAT(run.err, HasSubstr("bad_s42.mp4"));
  EXPECT_THAT(videos(), ElementsAre("j0_s42.mp4"));
  EXPECT_EQ(report()["failed"], 1);
  EXPECT_EQ(report()["pending"], 1);
}

TEST_F(ProgramBatch, KeepsGoingAfterAFailureAndSaysSo) {
  const auto run = this->run(kOneBadJob, {"--keep-going"});
  EXPECT_EQ(run.exit_code, 5) << run.err;
  EXPECT_THAT(videos(), ElementsAre("j0_s42.mp4", "j1_s42.mp4"));
  EXPECT_EQ(report()["jobs"][1]["state"], "failed");
  EXPECT_EQ(report()["jobs"][1]["exit_code"], 6);
  const auto again = this->run(kOneBadJob, {"--max-failures", "1"});
  EXPECT_EQ(again.exit_code, 5) << again.err;
  EXPECT_EQ(count_events("job_failed")["bad_s42.mp4"], 2);
}

TEST_F(ProgramBatch, StopsOnTerminateAndGoesOnLater) {
  const auto arguments = batch(write_jobs(60), {"--progress", "json"});
  Program program(arguments);
  EXPECT_TRUE(program.wait_for_output("\"job_done\""));
  program.send(SIGTERM);
  const auto stopped = program.wait();
  EXPECT_EQ(stopped.exit_code, 143) << stopped.err;
  EXPECT_GE(report()["done"], 1);
  EXPECT_GT(report()["pending"], 0);
  EXPECT_EQ(run_program(arguments).exit_code, 0);
  for (const auto& [name, count] : count_events("job_done")) EXPECT_EQ(count, 1) << name;
  EXPECT_EQ(report()["done"], 60);
}

TEST_F(ProgramBatch, SharesAFolderBetweenProcesses) {
  const auto arguments = batch(write_jobs(8));
  Program first(arguments);
  Program second(arguments);
  EXPECT_EQ(first.wait().exit_code, 0);
  EXPECT_EQ(second.wait().exit_code, 0);
  expect_complete(8);
  for (const auto& [name, count] : count_events("job_start")) EXPECT_EQ(count, 1) << name;
}

TEST_F(ProgramBatch, CutsAListIntoShards) {
  const auto jobs = write_jobs(5);
  EXPECT_EQ(run_program(batch(jobs, {"--shard", "2/2"})).exit_code, 0);
  EXPECT_THAT(videos(), ElementsAre("j1_s42.mp4", "j3_s42.mp4"));
  EXPECT_EQ(run_program(batch(jobs, {"--shard", "1/2"})).exit_code, 0);
  expect_complete(5);
}

TEST_F(ProgramBatch, KeepsEncodedPromptsOnTheDisk) {
  EXPECT_EQ(run("{\"prompt\": \"x\"}\n{\"prompt\": \"y\"}\n").exit_code, 0);
  const auto more = run("{\"prompt\": \"x\", \"samples\": 2}\n{\"prompt\": \"y\"}\n");
  EXPECT_EQ(more.exit_code, 0);
  EXPECT_THAT(more.err, HasSubstr("load transformer"));
  EXPECT_THAT(more.err, ::testing::Not(HasSubstr("load text encoders")));
}

TEST_F(ProgramBatch, ShowsWhatItWouldDo) {
  const auto before = run_program(batch(write_jobs(2), {"--dry-run"}));
  EXPECT_EQ(before.exit_code, 0);
  EXPECT_THAT(before.out, HasSubstr("2 of 2 in the list, 0 done, 2 to do"));
  EXPECT_THAT(before.out, HasSubstr("time       unknown"));
  EXPECT_FALSE(std::filesystem::exists(run_folder()));
  EXPECT_EQ(run_program(batch(write_jobs(2), {"--shard", "1/2"})).exit_code, 0);
  const auto after = run_program(batch(write_jobs(2), {"--dry-run"}));
  EXPECT_THAT(after.out, HasSubstr("1 done, 1 to do"));
  EXPECT_THAT(after.out, HasSubstr("measured on 1 videos"));
  EXPECT_THAT(after.out, HasSubstr("j0_s42.mp4  64x64x5, 2 steps, dense, seed 42: done"));
}

TEST_F(ProgramBatch, EndsWithAFullDiskAndGoesOnWhenThereIsRoom) {
  const auto folder = folder_ / "disk";
  const SmallDisk disk(folder, "400k");
  if (!disk.mounted()) GTEST_SKIP() << "may not mount a file system";
  const auto jobs = write_jobs(4);
  { std::ofstream(folder / "filler") << std::string(300'000, 'x'); }
  const Arguments arguments =
      batch(jobs, {"--output-dir", folder / "run", "--keep-going", "--lossless", "--frames", "17"});
  const auto full = run_program(arguments);
  EXPECT_EQ(full.exit_code, 1) << full.err;
  EXPECT_THAT(full.err, HasSubstr("No space left"));
  for (const auto& entry : std::filesystem::directory_iterator(folder / "run/videos")) {
    ADD_FAILURE() << entry.path();
  }
  std::filesystem::remove(folder / "filler");
  std::filesystem::remove_all(folder / "run/latents");
  const auto more = run_program(batch(jobs, {"--output-dir", folder / "run"}));
  EXPECT_EQ(more.exit_code, 0) << more.err;
}

}  // namespace
}  // namespace reel::testing
