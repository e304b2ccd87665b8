#include "batch/event_log.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "tests/support/temp_folder.h"

namespace reel::batch {
namespace {

TEST(EventLog, KeepsAnObjectALine) {
  const testing::TempFolder folder;
  EventLog log(folder / "events.jsonl");
  log.append({{"event", "a"}, {"text", "two\nlines"}});
  log.append({{"event", "b"}});
  const auto events = log.read();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0]["format"], 1);
  EXPECT_EQ(events[0]["text"], "two\nlines");
  EXPECT_EQ(events[1]["event"], "b");
}

TEST(EventLog, IsolatesALineThatWasTorn) {
  const testing::TempFolder folder;
  testing::write_bytes(folder / "events.jsonl", "{\"event\": \"a\"}\n{\"event\": \"tor");
  EventLog log(folder / "events.jsonl");
  log.append({{"event", "b"}});
  const auto events = log.read();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0]["event"], "a");
  EXPECT_EQ(events[1]["event"], "b");
}

TEST(EventLog, LosesNothingWhenProcessesWriteTogether) {
  const testing::TempFolder folder;
  constexpr int kProcesses = 4;
  constexpr int kEvents = 50;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      EventLog log(folder / "events.jsonl");
      const std::string name(1, static_cast<char>('a' + i));
      for (int j = 0; j < kEvents; ++j) log.append({{"event", name}, {"j", j}});
      _exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) waitpid(child, nullptr, 0);
  std::map<std::string, int> next;
  for (const auto& event : read_events(folder / "events.jsonl")) {
    EXPECT_EQ(event["j"], next[event["event"]]++);
  }
  ASSERT_EQ(next.size(), static_cast<size_t>(kProcesses));
  for (const auto& [name, count] : next) EXPECT_EQ(count, kEvents) << name;
}

TEST(EventLog, SkipsLinesThatNoProcessOfOursWrites) {
  const testing::TempFolder folder;
  std::string lines =
      "{\"event\": 1}\n{\"event\": \"a\", \"hash\": []}\n"
      "{\"event\": \"b\", \"exit_code\": \"x\"}\n[\"event\"]\n"
      "{\"event\": \"c\", \"hash\": \"0\"}\n";
  lines.append(300'000, '[').append("\n");
  const auto file = folder.write("events.jsonl", lines);
  const auto events = read_events(file);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]["event"], "c");
}

}  // namespace
}  // namespace reel::batch
