#include "batch/job_line.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/nearest_name.h"
#include "core/printable.h"

namespace reel::batch {
namespace {

using nlohmann::json;

constexpr size_t kLongestValue = 60;  // of what a message shows

std::string shown(const json& value) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > kLongestValue) text = text.substr(0, kLongestValue - 3) + "...";
  return text;
}

bool is_count(const json& value) {
  constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
  return value.is_number_integer() &&
         (!value.is_number_unsigned() || value.get<uint64_t>() <= kMost);
}

bool is_seed(const json& value) {
  return value.is_number_unsigned();
}

bool is_seeds(const json& value) {
  return value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), is_seed);
}

// What is wanted instead; empty if `value` is right.
const char* missed(JobValue kind, const json& value) {
  switch (kind) {
    case JobValue::kText:
      return value.is_string() ? "" : "a text";
    case JobValue::kCount:
      return is_count(value) ? "" : "a whole number";
    case JobValue::kNumber:
      return value.is_number() ? "" : "a number";
    case JobValue::kTextOrNumber:
      return value.is_string() || value.is_number() ? "" : "a number or a text";
    case JobValue::kSeed:
      return is_seed(value) ? "" : "a whole number from 0 to 2^64 - 1";
    case JobValue::kSeeds:
      return is_seeds(value) ? "" : "an array of whole numbers from 0 to 2^64 - 1";
    case JobValue::kObject:
      return value.is_object() ? "" : "an object";
  }
  return "";
}

template <typename T>
void take(const json& object, const char* key, std::optional<T>& target) {
  if (object.contains(key)) target = object.at(key).get<T>();
}

void take_flag_text(const json& object, const char* key, std::optional<std::string>& target) {
  if (!object.contains(key)) return;
  const json& value = object.at(key);
  target = value.is_string() ? value.get<std::string>() : value.dump();
}

void fill(const json& object, JobLine& line) {
  line.id = object.value("id", line.id);
  line.prompt = object.value("prompt", std::string());
  take(object, "prompt_rewritten", line.prompt_rewritten);
  take(object, "negative_prompt", line.negative_prompt);
  take(object, "seed", line.seed);
  if (object.contains("seeds")) line.seeds = object.at("seeds").get<std::vector<uint64_t>>();
  take(object, "samples", line.samples);
  take(object, "width", line.width);
  take(object, "height", line.height);
  take(object, "frames", line.frames);
  take(object, "steps", line.steps);
  take(object, "guidance", line.guidance);
  take(object, "cfg_scale", line.cfg_scale);
  take(object, "tau", line.tau);
  take(object, "stride", line.stride);
  take(object, "block", line.block);
  take(object, "select", line.select);
  take(object, "rule", line.rule);
  take_flag_text(object, "fps", line.frame_rate);
  take(object, "attn", line.attention_mode);
  take_flag_text(object, "dense_steps", line.dense_steps);
  if (object.contains("schedule")) line.schedule = object.at("schedule").get<std::string>();
  take(object, "output", line.output);
  if (object.contains("tags")) line.tags = object.at("tags");
}

void check_seeds(const JobLine& line, Problems& problems) {
  if (!line.seeds.empty() && (line.seed || line.samples)) {
    problems.add(line.where, ": seeds: cannot go with ", line.seed ? "seed" : "samples");
  }
  auto sorted = line.seeds;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) problems.add(line.where, ": seeds: got ", *twice, " twice");
}

}  // namespace

const std::vector<JobKey>& job_keys() {
  static const std::vector<JobKey> kKeys = {
      {"id", JobValue::kText, false},
      {"prompt", JobValue::kText, false},
      {"prompt_rewritten", JobValue::kText, false},
      {"negative_prompt", JobValue::kText, true},
      {"seed", JobValue::kSeed, true},
      {"seeds", JobValue::kSeeds, false},
      {"samples", JobValue::kCount, true},
      {"width", JobValue::kCount, true},
      {"height", JobValue::kCount, true},
      {"frames", JobValue::kCount, true},
      {"steps", JobValue::kCount, true},
      {"guidance", JobValue::kNumber, true},
      {"cfg_scale", JobValue::kNumber, true},
      {"fps", JobValue::kTextOrNumber, true},
      {"attn", JobValue::kText, true},
      {"tau", JobValue::kNumber, true},
      {"stride", JobValue::kCount, true},
      {"block", JobValue::kCount, true},
      {"select", JobValue::kText, true},
      {"rule", JobValue::kText, true},
      {"dense_steps", JobValue::kTextOrNumber, true},
      {"schedule", JobValue::kText, true},
      {"output", JobValue::kText, true},
      {"tags", JobValue::kObject, false},
  };
  return kKeys;
}

JobLine parse_job_line(const std::string& where, int64_t line_number, const json& object,
                       Problems& problems) {
  JobLine line;
  line.where = where;
  line.id = fmt::format("{:04}", line_number);
  line.settings = json::object();
  json good = json::object();
  for (const auto& item : object.items()) {
    const auto& keys = job_keys();
    const auto key = std::find_if(keys.begin(), keys.end(),
                                  [&](const JobKey& known) { return item.key() == known.name; });
    if (key == keys.end()) {
      std::vector<std::string> known;
      for (const auto& one : keys) known.emplace_back(one.name);
      const auto nearest = nearest_name(item.key(), known);
      problems.add(where, ": ", printable(item.key()), ": unknown key",
                   nearest ? "; did you mean " + *nearest + "?" : "");
      continue;
    }
    const std::string want = missed(key->value, item.value());
    if (!want.empty()) {
      problems.add(where, ": ", item.key(), ": wrong type: got ", shown(item.value()), ", want ",
                   want);
      continue;
    }
    good[item.key()] = item.value();
    if (key->overrides_flag) line.settings[item.key()] = item.value();
  }
  if (!object.contains("prompt")) problems.add(where, ": prompt: key is missing");
  fill(good, line);
  check_seeds(line, problems);
  return line;
}

}  // namespace reel::batch
