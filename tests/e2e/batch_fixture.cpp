#include "tests/e2e/batch_fixture.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "batch/event_log.h"
#include "media/frame_reader.h"

namespace reel::testing {

namespace fs = std::filesystem;

fs::path BatchTest::write_jobs(int count) const {
  std::string lines;
  for (int i = 0; i < count; ++i) {
    lines += fmt::format("{{\"id\": \"j{}\", \"prompt\": \"p{}\"}}\n", i, i % 7);
  }
  return folder_.write("jobs.jsonl", lines);
}

Arguments BatchTest::batch(const fs::path& jobs, const Arguments& more) const {
  const std::pair<const char*, std::string> usual[] = {{"--model", model()},
                                                       {"-W", "64"},
                                                       {"-H", "64"},
                                                       {"--frames", "5"},
                                                       {"--steps", "2"},
                                                       {"--attn", "dense"},
                                                       {"--threads", "1"},
                                                       {"--preset", "ultrafast"},
                                                       {"--output-dir", run_folder()}};
  Arguments arguments{"batch", jobs};
  for (const auto& [flag, value] : usual) {
    if (std::count(more.begin(), more.end(), flag) > 0) continue;
    arguments.push_back(flag);
    arguments.push_back(value);
  }
  return arguments + more;
}

nlohmann::json BatchTest::report() const {
  return nlohmann::json::parse(read_bytes(run_folder() / "report.json"));
}

nlohmann::json BatchTest::sidecar(const std::string& name) const {
  return nlohmann::json::parse(read_bytes(run_folder() / "meta" / (name + ".json")));
}

std::map<std::string, int> BatchTest::count_events(const std::string& event) const {
  std::map<std::string, int> counts;
  for (const auto& one : batch::read_events(run_folder() / "events.jsonl")) {
    if (one["event"] == event) ++counts[one.value("video", "")];
  }
  return counts;
}

std::vector<std::string> BatchTest::videos() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(run_folder() / "videos")) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void BatchTest::expect_complete(int count) const {
  std::set<std::string> wanted = {"cache", "cache/text",  "events.jsonl", "jobs.lock", "latents",
                                  "meta",  "report.json", "run.json",     "videos"};
  const auto finished = count_events("job_done");
  for (int i = 0; i < count; ++i) {
    const std::string name = fmt::format("j{}_s42", i);
    const fs::path video = run_folder() / "videos" / (name + ".mp4");
    ASSERT_TRUE(fs::exists(video)) << name;
    EXPECT_EQ(media::read_frames(video).size(0), 5) << name;
    const auto told = finished.find(name + ".mp4");
    EXPECT_EQ(told == finished.end() ? 0 : told->second, 1) << name;
    EXPECT_EQ(sidecar(name)["job"]["id"], fmt::format("j{}", i));
    wanted.insert("videos/" + name + ".mp4");
    wanted.insert("meta/" + name + ".json");
  }
  for (const auto& entry : fs::recursive_directory_iterator(run_folder())) {
    const std::string name = fs::relative(entry.path(), run_folder());
    if (name.starts_with("cache/text/") && name.ends_with(".safetensors")) continue;
    EXPECT_TRUE(wanted.contains(name)) << "left over: " << name;
  }
  EXPECT_FALSE(fs::exists(folder_ / ".tmp"));
  EXPECT_EQ(report()["done"], count);
  EXPECT_EQ(report()["pending"], 0);
}

}  // namespace reel::testing
