#include "vbench/prompt_set.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "core/nearest_name.h"
#include "core/printable.h"
#include "core/strict_json.h"
#include "core/utf8.h"
#include "vbench/protocol.h"

namespace reel::vbench {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr size_t kLongestName = 255;  // bytes, on every file system in use

std::optional<std::string> read_text(const fs::path& file, Problems& problems) {
  std::ifstream stream(file, std::ios::binary);
  std::string text;
  std::error_code ignored;
  const bool readable = stream.is_open() && !fs::is_directory(file, ignored);
  if (readable) text.assign(std::istreambuf_iterator<char>(stream), {});
  if (!readable || stream.bad()) {
    problems.add(file.string(), ": cannot be read");
    return std::nullopt;
  }
  return text;
}

std::optional<Entry> parse_entry(const std::string& where, int64_t number, const json& value,
                                 Problems& problems) {
  Entry entry{.number = number, .prompt = {}, .long_prompt = {}, .dimensions = {}};
  const bool has_prompt =
      value.is_object() && value.contains("prompt_en") && value["prompt_en"].is_string();
  const bool has_dimensions =
      value.is_object() && value.contains("dimension") && value["dimension"].is_array();
  if (!has_prompt || !has_dimensions) {
    problems.add(where, ": not an entry: want {\"prompt_en\": TEXT, \"dimension\": [NAMES], ...}");
    return std::nullopt;
  }
  entry.prompt = value["prompt_en"];
  for (const auto& name : value["dimension"]) {
    if (!name.is_string() || find_dimension(name.get<std::string>()) == nullptr) {
      problems.add(where, ": /dimension: unknown dimension: got ", printable(name.dump()));
      continue;
    }
    entry.dimensions.push_back(name);
  }
  return entry;
}

bool serves(const Entry& entry, const Selection& selection) {
  return selection.dimensions.empty() ||
         std::any_of(entry.dimensions.begin(), entry.dimensions.end(), [&](const auto& name) {
           return std::count(selection.dimensions.begin(), selection.dimensions.end(), name) > 0;
         });
}

int64_t samples_of(const Entry& entry, const Selection& selection) {
  const auto has = [](const std::vector<std::string>& names) {
    return std::count(names.begin(), names.end(), kFlickering) > 0;
  };
  if (!has(entry.dimensions)) return selection.samples;
  if (selection.flicker_samples) return *selection.flicker_samples;
  return has(selection.dimensions) ? std::max(kFlickerSamples, selection.samples)
                                   : selection.samples;
}

void check_name(const Prompt& prompt, Problems& problems) {
  const std::string where = "entry " + std::to_string(prompt.entry.number);
  const std::string name = video_name(prompt.entry.prompt, prompt.samples - 1);
  const bool plain = std::none_of(name.begin(), name.end(), [](char c) {
    return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (name.size() > kLongestName) {
    problems.add(where, ": the video's name would be too long: got ", name.size(), " bytes (",
                 printable(name), "), want at most ", kLongestName,
                 "; longer prompts go to --long, beside the short list");
  } else if (!plain || name.starts_with('.')) {
    problems.add(where, ": the prompt cannot be in a file name: got ",
                 printable(prompt.entry.prompt));
  }
}

// "a-1" with sample 2 and "a" with ... never meet unless a prompt ends in a number: names are
// compared, not prompts.
void check_clashes(const std::vector<Prompt>& prompts, Problems& problems) {
  std::map<std::string, int64_t> names;
  for (const auto& prompt : prompts) {
    for (int64_t i = 0; i < prompt.samples; ++i) {
      const auto [first, is_new] =
          names.try_emplace(video_name(prompt.entry.prompt, i), prompt.entry.number);
      if (!is_new) {
        problems.add("entry ", prompt.entry.number, ": its video has the name of one of entry ",
                     first->second, ": got ", printable(first->first));
      }
    }
  }
}

}  // namespace

std::vector<Entry> read_info(const fs::path& file, Problems& problems) {
  const auto text = read_text(file, problems);
  if (!text) return {};
  const json list = try_strict_json(*text).value_or(json());
  if (!list.is_array() || list.empty()) {
    problems.add(file.string(), ": not a list of prompts: want VBench_full_info.json");
    return {};
  }
  std::vector<Entry> entries;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string where = file.string() + ": /" + std::to_string(i);
    if (auto entry = parse_entry(where, static_cast<int64_t>(i) + 1, list[i], problems)) {
      entries.push_back(std::move(*entry));
    }
  }
  return entries;
}

void read_long_prompts(const fs::path& file, std::vector<Entry>& entries, Problems& problems) {
  const auto text = read_text(file, problems);
  if (!text) return;
  std::vector<std::string> lines;
  std::istringstream stream(*text);
  for (std::string line; std::getline(stream, line);) {
    if (find_invalid_utf8(line)) {
      problems.add(file.string(), ":", lines.size() + 1, ": not UTF-8");
      line.clear();
    }
    lines.emplace_back(strip_whitespace(line));
  }
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  if (lines.size() != entries.size()) {
    problems.add(file.string(), ": does not pair with the list: got ", lines.size(),
                 " lines, want ", entries.size());
    return;
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty()) problems.add(file.string(), ":", i + 1, ": is empty");
    entries[i].long_prompt = std::move(lines[i]);
  }
}

std::vector<Prompt> select_prompts(const std::vector<Entry>& entries, const Selection& selection,
                                   Problems& problems) {
  for (const auto& name : selection.dimensions) {
    if (find_dimension(name) != nullptr) continue;
    const auto nearest = nearest_name(name, dimension_names());
    problems.add("--dimension: unknown dimension: got ", printable(name),
                 nearest ? "; did you mean " + *nearest + "?" : "");
  }
  std::vector<Prompt> prompts;
  std::map<std::string, size_t> index_of;  // prompt -> its place in `prompts`
  int64_t position = 0;
  for (const auto& entry : entries) {
    if (!serves(entry, selection) || position++ % selection.every != 0) continue;
    const int64_t samples = samples_of(entry, selection);
    const auto [place, is_new] = index_of.try_emplace(entry.prompt, prompts.size());
    if (is_new) {
      prompts.push_back({.entry = entry, .samples = samples});
      continue;
    }
    Prompt& same = prompts[place->second];
    same.samples = std::max(same.samples, samples);
    for (const auto& name : entry.dimensions) {
      auto& names = same.entry.dimensions;
      if (std::count(names.begin(), names.end(), name) == 0) names.push_back(name);
    }
  }
  if (prompts.empty() && problems.empty()) problems.add("prompts: none is left of the list");
  for (const auto& prompt : prompts) check_name(prompt, problems);
  if (problems.empty()) check_clashes(prompts, problems);
  return prompts;
}

json job_line(const Prompt& prompt, uint64_t first_seed) {
  json seeds = json::array();
  for (int64_t i = 0; i < prompt.samples; ++i) {
    seeds.push_back(first_seed + static_cast<uint64_t>(i));
  }
  json line = {
      {"prompt", prompt.entry.prompt},
      {"seeds", std::move(seeds)},
      {"output", "{prompt}-{index}.mp4"},
      {"tags",
       {{"vbench", {{"entry", prompt.entry.number}, {"dimensions", prompt.entry.dimensions}}}}}};
  if (!prompt.entry.long_prompt.empty()) line["prompt_rewritten"] = prompt.entry.long_prompt;
  return line;
}

}  // namespace reel::vbench
