#include "vbench/video_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/json_reader.h"
#include "core/printable.h"
#include "media/video_facts.h"
#include "vbench/protocol.h"

namespace reel::vbench {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// The length and rate that most videos have, where the list names none.
struct Usual {
  std::map<int64_t, size_t> frames;
  std::map<std::string, size_t> rates;

  template <typename Key>
  static Key most(const std::map<Key, size_t>& counts) {
    return std::max_element(counts.begin(), counts.end(),
                            [](const auto& a, const auto& b) { return a.second < b.second; })
        ->first;
  }
};

std::map<std::string, media::VideoFacts> read_all(const fs::path& folder,
                                                  const std::vector<WantedVideo>& wanted,
                                                  SetCheck& check) {
  std::map<std::string, media::VideoFacts> facts;
  for (const auto& video : wanted) {
    std::error_code ignored;
    const fs::path file = folder / video.name;
    if (!fs::exists(file, ignored)) {
      check.missing.push_back(video.name);
      continue;
    }
    try {
      if (media::mp4_boxes(file).empty()) {
        check.broken.push_back({video.name, "not an MP4", false});
        continue;
      }
      facts.emplace(video.name, media::read_video_facts(file));
    } catch (const Error& error) {
      check.broken.push_back({video.name, error.what(), false});
    }
  }
  return facts;
}

std::string rate_text(const media::VideoFacts& facts) {
  return media::frame_rate_text(facts.frame_rate);
}

void judge(const WantedVideo& video, const media::VideoFacts& facts, const Usual& usual,
           SetCheck& check) {
  const int64_t frames = video.frames > 0 ? video.frames : Usual::most(usual.frames);
  const std::string rate = video.frame_rate.empty()
                               ? Usual::most(usual.rates)
                               : media::frame_rate_text(media::parse_frame_rate(video.frame_rate));
  if (facts.num_frames != frames) {
    check.wrong.push_back(
        {video.name, fmt::format("{} frames, want {}", facts.num_frames, frames), false});
  } else if (rate_text(facts) != rate) {
    check.wrong.push_back(
        {video.name, fmt::format("{} frames a second, want {}", rate_text(facts), rate), false});
  } else {
    const double seconds = facts.duration_s;
    check.shortest_s = check.num_good == 0 ? seconds : std::min(check.shortest_s, seconds);
    check.longest_s = std::max(check.longest_s, seconds);
    ++check.num_good;
    for (const auto& name : video.dimensions) ++check.by_dimension[name].good;
  }
}

void find_strays(const fs::path& folder, const std::vector<WantedVideo>& wanted, SetCheck& check) {
  std::set<std::string> names;
  for (const auto& video : wanted) names.insert(video.name);
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (names.contains(name) && entry.is_regular_file()) continue;
    const bool harmful = entry.path().extension() != ".mp4" || !entry.is_regular_file();
    const char* what = harmful ? "VBench takes the ending of all names from the file that it lists "
                                 "first: with this one it may find no video"
                               : "not a video of this list: scored by nobody";
    check.stray.push_back({name, what, harmful});
  }
  std::sort(check.stray.begin(), check.stray.end(),
            [](const Finding& a, const Finding& b) { return a.name < b.name; });
}

json findings_json(const std::vector<Finding>& findings) {
  json list = json::array();
  for (const auto& one : findings) list.push_back({{"name", one.name}, {"what", one.what}});
  return list;
}

void add_findings(std::string& text, const char* title, const std::vector<Finding>& findings,
                  size_t most_names) {
  if (findings.empty()) return;
  text += fmt::format("{} {}\n", title, findings.size());
  for (size_t i = 0; i < std::min(findings.size(), most_names); ++i) {
    text += fmt::format("  {}{}{}\n", printable(findings[i].name),
                        findings[i].what.empty() ? "" : ": ", printable(findings[i].what));
  }
  if (findings.size() > most_names) {
    text += fmt::format("  and {} more\n", findings.size() - most_names);
  }
}

}  // namespace

json to_json(const std::vector<WantedVideo>& videos) {
  json list = json::array();
  for (const auto& video : videos) {
    list.push_back({{"video", video.name},
                    {"dimensions", video.dimensions},
                    {"frames", video.frames},
                    {"fps", video.frame_rate}});
  }
  return {{"format", 1}, {"videos", std::move(list)}};
}

std::vector<WantedVideo> read_wanted(const fs::path& file) {
  const auto reader = JsonReader::open(file, JsonOwner::kUser);
  reader.refuse_unknown_keys({"format", "videos"});
  std::vector<WantedVideo> videos;
  for (const auto& one : reader.objects("videos")) {
    one.refuse_unknown_keys({"video", "dimensions", "frames", "fps"});
    videos.push_back({.name = one.string("video"),
                      .dimensions = one.strings("dimensions"),
                      .frames = one.integer("frames"),
                      .frame_rate = one.string("fps")});
  }
  return videos;
}

SetCheck check_videos(const fs::path& folder, const std::vector<WantedVideo>& wanted) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) fail<ConfigError>(folder.string(), ": not a folder");
  SetCheck check;
  check.num_wanted = wanted.size();
  for (const auto& video : wanted) {
    for (const auto& name : video.dimensions) ++check.by_dimension[name].wanted;
  }
  const auto facts = read_all(folder, wanted, check);
  Usual usual;
  for (const auto& [name, one] : facts) {
    ++usual.frames[one.num_frames];
    ++usual.rates[rate_text(one)];
  }
  for (const auto& video : wanted) {
    const auto found = facts.find(video.name);
    if (found != facts.end()) judge(video, found->second, usual, check);
  }
  find_strays(folder, wanted, check);
  return check;
}

json SetCheck::to_json() const {
  json counts = json::object();
  for (const auto& [name, count] : by_dimension) {
    counts[name] = {{"wanted", count.wanted}, {"good", count.good}};
  }
  return {{"format", 1},
          {"complete", complete()},
          {"wanted", num_wanted},
          {"good", num_good},
          {"dimensions", std::move(counts)},
          {"missing", missing},
          {"broken", findings_json(broken)},
          {"wrong", findings_json(wrong)},
          {"stray", findings_json(stray)},
          {"shortest_s", shortest_s},
          {"longest_s", longest_s}};
}

std::string check_text(const SetCheck& check, size_t most_names) {
  std::string text = fmt::format("videos {} of {}\n", check.num_good, check.num_wanted);
  for (const auto& dimension : dimensions()) {
    const auto found = check.by_dimension.find(dimension.name);
    if (found == check.by_dimension.end()) continue;
    text += fmt::format("  {:<24}{:>6} of {}\n", dimension.name, found->second.good,
                        found->second.wanted);
  }
  std::vector<Finding> missing;
  for (const auto& name : check.missing) missing.push_back({name, "", false});
  add_findings(text, "missing", missing, most_names);
  add_findings(text, "broken", check.broken, most_names);
  add_findings(text, "wrong", check.wrong, most_names);
  add_findings(text, "stray", check.stray, most_names);
  if (check.num_good > 0) {
    text += "length " + length_rule(check.longest_s) + "\n";
    if (length_rule(check.shortest_s) != length_rule(check.longest_s)) {
      text += "       but the shortest: " + length_rule(check.shortest_s) + "\n";
    }
  }
  text += check.complete() ? "complete\n"
                           : "not complete: VBench would score it without a word, and the score "
                             "would mean nothing\n";
  return text;
}

}  // namespace reel::vbench
