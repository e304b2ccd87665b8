// What people and programs see of a run.
#include "app/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "app/step_pace.h"
#include "core/error.h"
#include "tests/support/temp_folder.h"

namespace reel::app {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Text {
  std::string results;
  std::string messages;
};

std::string content(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  return text;
}

Text shown(const std::string& mode, Verbosity verbosity,
           const std::function<void(RunProgress&)>& run) {
  std::FILE* results = std::tmpfile();
  std::FILE* messages = std::tmpfile();
  {
    Console console(results, messages, verbosity);
    run(*make_progress(mode, console));
  }
  return {content(results), content(messages)};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

void run_steps(RunProgress& progress, int64_t num_steps) {
  progress.clip_started(0, 1, 42);
  progress.stage_started("denoise");
  for (int64_t step = 0; step < num_steps; ++step) {
    const bool dense = step < 2;
    progress.step_finished({step, num_steps, dense ? 3000.0 : 1000.0, dense, dense ? 1 : 0.25});
  }
  progress.stage_finished("denoise", 1000);
  progress.tile_decoded(1, 1);
  progress.frames_encoded(9, 9);
  progress.clip_done("out/a.mp4");
}

TEST(PlainProgress, WritesAtMostOneLinePerTenPerCent) {
  const Text text =
      shown("plain", Verbosity::kNormal, [](RunProgress& progress) { run_steps(progress, 200); });
  const auto lines = lines_of(text.messages);
  EXPECT_EQ(lines.size(), 11U) << text.messages;
  EXPECT_EQ(lines[0], "step 20 of 200: 1.00 s a step, sparse, density 0.25, ETA 3:00");
  EXPECT_EQ(lines[10], "denoise: 1.0 s");
  EXPECT_EQ(text.results, "out/a.mp4\n");
}

TEST(PlainProgress, WritesEveryStepWhenAskedForMore) {
  const Text text =
      shown("plain", Verbosity::kVerbose, [](RunProgress& progress) { run_steps(progress, 20); });
  EXPECT_THAT(text.messages, HasSubstr("step 1 of 20: 3.00 s a step, dense, density 1.00\n"));
  EXPECT_THAT(text.messages, HasSubstr("step 3 of 20: 1.00 s a step, sparse"));
}

TEST(Progress, IsPlainWhereMessagesDoNotGoToATerminal) {
  const auto run = [](RunProgress& progress) { run_steps(progress, 4); };
  EXPECT_EQ(shown("auto", Verbosity::kNormal, run).messages,
            shown("plain", Verbosity::kNormal, run).messages);
}

TEST(Progress, KeepsQuietAndStillNamesTheResult) {
  for (const auto& [mode, verbosity] :
       {std::pair("plain", Verbosity::kQuiet), std::pair("none", Verbosity::kNormal)}) {
    const Text text = shown(mode, verbosity, [](RunProgress& progress) { run_steps(progress, 4); });
    EXPECT_THAT(text.messages, IsEmpty());
    EXPECT_EQ(text.results, "out/a.mp4\n");
  }
}

TEST(BarProgress, DrawsOverItselfAndLeavesTheStage) {
  const Text text =
      shown("bar", Verbosity::kNormal, [](RunProgress& progress) { run_steps(progress, 4); });
  EXPECT_THAT(text.messages, HasSubstr("\rdenoise              [######..................] 1/4  "
                                       "3.00 s a step, dense, density 1.00\x1b[K"));
  EXPECT_THAT(text.messages, HasSubstr("4/4  1.00 s a step, sparse, density 0.25, ETA 0:00"));
  EXPECT_THAT(text.messages, HasSubstr("\r\x1b[Kdenoise              1.0 s\n"));
}

TEST(JsonProgress, WritesTheDocumentedEvents) {
  const Text text = shown("json", Verbosity::kNormal, [](RunProgress& progress) {
    run_steps(progress, 3);
    progress.clip_failed("disk full", 1);
  });
  EXPECT_THAT(text.messages, IsEmpty());
  std::vector<json> events;
  std::vector<std::string> names;
  for (const auto& line : lines_of(text.results)) {
    events.push_back(json::parse(line));
    EXPECT_EQ(events.back()["format"], 1);
    names.push_back(events.back()["event"]);
  }
  EXPECT_THAT(names, ElementsAre("job_start", "step", "step", "step", "decode", "encode",
                                 "job_done", "job_failed"));
  EXPECT_EQ(events[0]["seed"], 42);
  EXPECT_EQ(events[1]["i"], 1);
  EXPECT_EQ(events[1]["n"], 3);
  EXPECT_EQ(events[1]["sec"], 3.0);
  EXPECT_TRUE(events[1]["eta"].is_null());
  EXPECT_EQ(events[2]["eta"], 3.0);
  EXPECT_EQ(events[3]["mode"], "sparse");
  EXPECT_EQ(events[3]["density"], 0.25);
  EXPECT_EQ(events[6]["output"], "out/a.mp4");
  EXPECT_EQ(events[7]["exit_code"], 1);
}

TEST(JsonProgress, KeepsEventsOnOneLineWhateverAMessageHolds) {
  const Text text = shown("json", Verbosity::kNormal, [](RunProgress& progress) {
    progress.clip_failed("two\nlines \xff", 2);
  });
  EXPECT_EQ(lines_of(text.results).size(), 1U);
  EXPECT_THAT(text.results, HasSubstr("two\\nlines"));
}

TEST(StepPace, KeepsDenseAndSparseStepsApart) {
  StepPace pace;
  pace.add({0, 10, 4000, true, 1});
  EXPECT_EQ(pace.remaining_s(), std::nullopt);
  pace.add({1, 10, 2000, true, 1});
  EXPECT_EQ(pace.seconds_per_step(), 3);
  EXPECT_EQ(pace.remaining_s(), 24);
  pace.add({2, 10, 500, false, 0.3});
  EXPECT_EQ(pace.seconds_per_step(), 0.5);
  EXPECT_EQ(pace.remaining_s(), 3.5);
}

TEST(StepPace, WritesTimesAndBytesForPeople) {
  EXPECT_EQ(duration_text(47.4), "0:47");
  EXPECT_EQ(duration_text(59.6), "1:00");
  EXPECT_EQ(duration_text(3723), "1:02:03");
  EXPECT_EQ(elapsed_text(830), "830 ms");
  EXPECT_EQ(elapsed_text(12'345), "12.3 s");
  EXPECT_EQ(elapsed_text(125'000), "2:05 min");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(43.1e6), "43.1 MB");
}

TEST(Console, ReportsALogFileThatCannotBeWritten) {
  Console console(stdout, stderr, Verbosity::kNormal);
  EXPECT_THROW(console.open_log("/nowhere/log.txt"), ConfigError);
}

TEST(Console, LogsWithTheTimeWhatAQuietRunDoesNotShow) {
  const testing::TempFolder folder;
  const Text text = [&] {
    std::FILE* messages = std::tmpfile();
    {
      Console console(std::tmpfile(), messages, Verbosity::kQuiet);
      console.open_log(folder / "log.txt");
      run_steps(*make_progress("auto", console), 2);
    }
    return Text{"", content(messages)};
  }();
  EXPECT_THAT(text.messages, IsEmpty());
  EXPECT_THAT(testing::read_bytes(folder / "log.txt"),
              ::testing::ContainsRegex("20[0-9-]+ [0-9:]+ step 2 of 2: 3.00 s a step, dense"));
}

}  // namespace
}  // namespace reel::app
