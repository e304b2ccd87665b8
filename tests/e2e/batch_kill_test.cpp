// A batch that is killed at random moments, again and again. scripts/kill-batch runs it with other
// numbers: REEL_KILL_JOBS jobs, killed REEL_KILLS times.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>

#include "tests/e2e/batch_fixture.h"

namespace reel::testing {
namespace {

int from_environment(const char* name, int usual) {
  const char* text = std::getenv(name);
  return text == nullptr ? usual : std::atoi(text);
}

class BatchKilled : public BatchTest {};

TEST_F(BatchKilled, AtRandomMomentsRendersEachJobOnce) {
  const int num_jobs = from_environment("REEL_KILL_JOBS", 12);
  const int num_kills = from_environment("REEL_KILLS", 5);
  const auto arguments = batch(write_jobs(num_jobs), {"--progress", "json"});
  std::mt19937 random(static_cast<unsigned>(from_environment("REEL_KILL_SEED", 1)));
  int hits = 0;
  size_t most_done = 0;
  for (int i = 0; i < num_kills; ++i) {
    Program program(arguments);
    // Half of the kills come while models load, half while jobs are rendered.
    if (i % 2 == 1) program.wait_for_output("\"job_start\"");
    const int most_ms = i % 2 == 1 ? 140 * num_jobs / num_kills : 400;
    std::this_thread::sleep_for(
        std::chrono::milliseconds(std::uniform_int_distribution<int>(0, most_ms)(random)));
    program.send(SIGKILL);
    const auto run = program.wait();
    hits += run.signal == SIGKILL ? 1 : 0;
    if (!std::filesystem::exists(run_folder() / "videos")) continue;
    for (const auto& name : videos()) EXPECT_THAT(name, ::testing::EndsWith(".mp4"));
    most_done = std::max(most_done, videos().size());
  }
  std::cout << hits << " of " << num_kills << " kills hit a run; " << most_done << " of "
            << num_jobs << " jobs were done before the last one\n";
  EXPECT_GT(hits, 0);
  const auto last = run_program(arguments);
  EXPECT_EQ(last.exit_code, 0) << last.err;
  expect_complete(num_jobs);
  const auto none = run_program(arguments);
  EXPECT_THAT(none.out, ::testing::HasSubstr("\"rendered\":0"));
}

TEST_F(BatchKilled, WhileAnotherProcessSharesTheFolderLosesNothing) {
  constexpr int kJobs = 10;
  const auto arguments = batch(write_jobs(kJobs), {"--progress", "json"});
  Program killed(arguments);
  Program stays(arguments);
  EXPECT_TRUE(killed.wait_for_output("\"job_start\""));
  killed.send(SIGKILL);
  killed.wait();
  EXPECT_EQ(stays.wait().exit_code, 0);
  expect_complete(kJobs);
}

}  // namespace
}  // namespace reel::testing
