// The program as a process of its own: its exit status, and what signals do to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/support/compare.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tiny_model.h"

namespace reel::app {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A run of SPARSEREEL_PROGRAM with its stdout on a pipe.
class Process {
 public:
  explicit Process(std::vector<std::string> words) {
    std::string program = SPARSEREEL_PROGRAM;
    std::vector<char*> arguments = {program.data()};
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    id_ = fork();
    if (id_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
      close(ends[1]);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    close(ends[1]);
    results_ = fdopen(ends[0], "r");
  }
  ~Process() { std::fclose(results_); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Reads lines until one holds `text`; false at the end.
  bool read_until(const std::string& text) {
    char line[4096];
    while (std::fgets(line, sizeof(line), results_) != nullptr) {
      if (std::string(line).find(text) != std::string::npos) return true;
    }
    return false;
  }

  void send(int signal) { kill(id_, signal); }

  int exit_code() {
    int status = 0;
    waitpid(id_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t id_ = -1;
  std::FILE* results_ = nullptr;
};

TEST(Process, HandsItsExitCodeToTheShell) {
  EXPECT_EQ(Process({"--version"}).exit_code(), 0);
  EXPECT_EQ(Process({"generate", "--stpes", "4"}).exit_code(), 2);
  EXPECT_EQ(Process({"generate", "-p", "x", "--model", "/nowhere"}).exit_code(), 3);
}

TEST(Process, PrintsTheSigmaScheduleWithoutAModel) {
  Process process({"probe", "schedule", "--steps", "4", "--flow-shift", "7"});
  EXPECT_TRUE(process.read_until(R"("timesteps":[1000.0,954.545)"));
  EXPECT_EQ(process.exit_code(), 0);
}

class Stopped : public ::testing::TestWithParam<std::pair<int, int>> {};

TEST_P(Stopped, LeavesNoFileAndTheSignalsExitCode) {
  const auto [signal, exit_code] = GetParam();
  const testing::TempFolder model;
  const testing::TempFolder out;
  testing::write_tiny_model(testing::data_file("tiny_model"), model.path(),
                            weights::Layout::kDiffusers);
  Process process({"generate",    "--model",    model.path(), "-p",        "a cat", "-W",
                   "64",          "-H",         "64",         "--frames",  "5",     "--steps",
                   "10000",       "--device",   "cpu",        "--threads", "1",     "-o",
                   out / "c.mp4", "--progress", "json"});
  ASSERT_TRUE(process.read_until("\"event\":\"step\""));
  process.send(signal);
  EXPECT_EQ(process.exit_code(), exit_code);
  EXPECT_THAT(out.names(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Signals, Stopped,
                         ::testing::Values(std::pair(SIGINT, 130), std::pair(SIGTERM, 143)));

}  // namespace
}  // namespace reel::app
