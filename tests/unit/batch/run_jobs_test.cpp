#include "batch/run_jobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "batch/event_log.h"
#include "batch/file_lock.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/batch/small_job.h"

namespace reel::batch {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Writes small videos; fails or stops where it is told to.
class FakeRenderer : public JobRenderer {
 public:
  explicit FakeRenderer(const RunFolder& folder) : folder_(folder) {}

  void prepare(const std::vector<const Job*>& jobs) override {
    for (const auto* job : jobs) prepared.push_back(job->id);
  }

  std::optional<JobFailure> render(const Job& job, nlohmann::json& metadata) override {
    rendered.push_back(job.id);
    if (stops.contains(job.id)) throw Interrupted(15);
    const auto failure = failures.find(job.id);
    if (failure != failures.end()) return failure->second;
    metadata = testing::write_small_video(job, folder_.video(job));
    return std::nullopt;
  }

  std::map<std::string, JobFailure> failures;
  std::set<std::string> stops;
  std::vector<std::string> prepared;
  std::vector<std::string> rendered;

 private:
  const RunFolder& folder_;
};

class RunJobs : public ::testing::Test {
 protected:
  RunJobs() {
    folder_.make();
    for (const char* name : {"a", "b", "c", "d"}) {
      jobs_.push_back(testing::small_job(jobs_.size(), name));
    }
  }

  RunSummary run(const RunOptions& options = {}) {
    renderer_.prepared.clear();
    renderer_.rendered.clear();
    RunObserver observer;
    return run_jobs(jobs_, folder_, options, renderer_, observer, pipeline::StopRequest());
  }

  int count(const std::string& event, const std::string& id) const {
    int found = 0;
    for (const auto& one : read_events(folder_.events())) {
      found += one["event"] == event && one.value("id", "") == id ? 1 : 0;
    }
    return found;
  }

  nlohmann::json report() const {
    return nlohmann::json::parse(testing::read_bytes(folder_.report()));
  }

  testing::TempFolder root_;
  RunFolder folder_{root_ / "run"};
  std::vector<Job> jobs_;
  FakeRenderer renderer_{folder_};
};

TEST_F(RunJobs, RendersEachJobOnceOverTwoRuns) {
  const auto first = run();
  EXPECT_EQ(first.num_rendered, 4u);
  EXPECT_THAT(renderer_.rendered, ElementsAre("a", "b", "c", "d"));
  const auto second = run();
  EXPECT_EQ(second.num_done_before, 4u);
  EXPECT_THAT(renderer_.prepared, IsEmpty());
  EXPECT_THAT(renderer_.rendered, IsEmpty());
  EXPECT_EQ(report()["done"], 4);
  EXPECT_EQ(report()["jobs"][2]["completions"], 1);
}

TEST_F(RunJobs, RendersAgainWhatHasOtherSettingsOrIsBroken) {
  run();
  jobs_[1] = testing::small_job(1, "b", /*seed=*/5);
  std::filesystem::resize_file(folder_.video(jobs_[2]), 40);
  EXPECT_EQ(run().num_rendered, 2u);
  EXPECT_THAT(renderer_.rendered, ElementsAre("b", "c"));
  EXPECT_EQ(folder_.state(jobs_[1]), VideoState::kDone);
}

TEST_F(RunJobs, StopsAtTheFirstFailure) {
  renderer_.failures["b"] = {.exit_code = 6, .message = "flat"};
  const auto summary = run();
  EXPECT_EQ(summary.num_rendered, 1u);
  EXPECT_EQ(summary.num_failed, 1u);
  EXPECT_EQ(summary.num_left, 2u);
  EXPECT_FALSE(summary.went_on);
  EXPECT_EQ(report()["failed"], 1);
  EXPECT_EQ(report()["pending"], 2);
  EXPECT_EQ(report()["jobs"][1]["error"], "flat");
}

TEST_F(RunJobs, GoesOnAfterFailuresIfAskedTo) {
  renderer_.failures["a"] = {.exit_code = 6, .message = "flat"};
  renderer_.failures["c"] = {.exit_code = 4, .message = "memory"};
  const auto summary = run({.keep_going = true});
  EXPECT_THAT(renderer_.rendered, ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(summary.num_failed, 2u);
  EXPECT_TRUE(summary.went_on);
  renderer_.failures.clear();
  EXPECT_EQ(run().num_rendered, 2u);
  EXPECT_EQ(report()["done"], 4);
  EXPECT_EQ(report()["jobs"][0]["failures"], 1);
}

TEST_F(RunJobs, StopsAtTheMostFailures) {
  for (const char* id : {"a", "b", "c", "d"}) renderer_.failures[id] = {.message = "flat"};
  const auto summary = run({.max_failures = 2});
  EXPECT_THAT(renderer_.rendered, ElementsAre("a", "b"));
  EXPECT_EQ(summary.num_left, 2u);
}

TEST_F(RunJobs, EndsWithAFullDiskWhateverWasAsked) {
  renderer_.failures["b"] = {.exit_code = 1, .message = "No space left", .ends_run = true};
  run({.keep_going = true});
  EXPECT_THAT(renderer_.rendered, ElementsAre("a", "b"));
}

TEST_F(RunJobs, ReportsBeforeItLeavesOnASignal) {
  renderer_.stops = {"c"};
  testing::error_of<Interrupted>([&] { run(); });
  EXPECT_EQ(report()["done"], 2);
  EXPECT_EQ(report()["pending"], 2);
  EXPECT_EQ(count("job_stopped", "c"), 1);
  renderer_.stops.clear();
  EXPECT_EQ(run().num_rendered, 2u);
}

TEST_F(RunJobs, RunsTheJobsOfItsShardOnly) {
  run({.shard = {.index = 1, .count = 2}});
  EXPECT_THAT(renderer_.rendered, ElementsAre("b", "d"));
  EXPECT_EQ(report()["pending"], 2);
  run({.shard = {.index = 0, .count = 2}});
  EXPECT_THAT(renderer_.rendered, ElementsAre("a", "c"));
  EXPECT_EQ(report()["done"], 4);
}

TEST_F(RunJobs, RendersAllAgainToOverwrite) {
  run();
  EXPECT_EQ(run({.overwrite = true}).num_rendered, 4u);
  EXPECT_EQ(count("job_done", "a"), 2);
}

// As a process leaves it that is killed between naming the video and saying so.
TEST_F(RunJobs, TellsOnceOfAVideoWhoseProcessDied) {
  testing::write_small_video(jobs_[0], folder_.video(jobs_[0]));
  EXPECT_EQ(run().num_rendered, 3u);
  EXPECT_EQ(count("job_done", "a"), 1);
  EXPECT_TRUE(std::filesystem::exists(folder_.sidecar(jobs_[0])));
  run();
  EXPECT_EQ(count("job_done", "a"), 1);
}

TEST_F(RunJobs, LeavesAJobToTheProcessThatHasItAndTakesItOnceThatDies) {
  auto other = std::make_optional<FileLock>(folder_.lock());
  ASSERT_FALSE(other->enter() && (other->stay(), false));
  ASSERT_TRUE(other->try_take("b.mp4"));
  std::jthread death([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    other.reset();
  });
  EXPECT_EQ(run().num_rendered, 4u);
  EXPECT_THAT(renderer_.rendered, ElementsAre("a", "c", "d", "b"));
}

TEST_F(RunJobs, DoesNotReplaceAVideoThatNoBatchMade) {
  Job plain = jobs_[0];
  plain.hash.clear();
  testing::write_small_video(plain, folder_.video(jobs_[0]));
  EXPECT_EQ(run().last_failure->exit_code, 2);
  EXPECT_EQ(folder_.state(jobs_[0]), VideoState::kForeign);
}

TEST_F(RunJobs, DoesNotOverwriteWhileOthersWork) {
  FileLock other(folder_.lock());
  other.enter();
  other.stay();
  EXPECT_THAT(testing::error_of<ConfigError>([&] { run({.overwrite = true}); }),
              ::testing::HasSubstr("--overwrite: another process works in"));
}

}  // namespace
}  // namespace reel::batch
