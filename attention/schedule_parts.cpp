#include "attention/schedule_parts.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/json_reader.h"
#include "core/printable.h"

namespace reel::attention {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  if (text.empty() || text.back() == separator) parts.emplace_back();
  return parts;
}

// Digits alone, nothing before or after.
std::optional<int64_t> whole_number(const std::string& text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (text.empty() || result.ec != std::errc() || result.ptr != end || value < 0) return {};
  return value;
}

template <typename Value>
std::string got(const std::string& wrong, const Value& value, const std::string& want) {
  std::ostringstream text;
  text << wrong << ": got " << value << ", want " << want;
  return text.str();
}

std::vector<IndexRange> read_ranges(const JsonReader& rule, const std::string& key, int64_t size,
                                    const std::string& noun) {
  if (!rule.has(key)) return {{0, size - 1}};
  const std::string text = rule.string(key);
  try {
    return parse_ranges(text, size, key, noun);
  } catch (const ConfigError& error) {
    // parse_ranges begins its text with the key, which the path already ends in
    rule.fail_at(key, std::string(error.what()).substr(key.size() + 2));
  }
}

void check_format(const JsonReader& reader) {
  const int64_t format = reader.integer("format");
  if (format != 1) reader.fail_at("format", got("unknown version", format, "1"));
}

ScheduleRule read_rule(const JsonReader& reader, int64_t num_steps, int64_t num_layers,
                       int64_t num_heads) {
  reader.refuse_unknown_keys({"steps", "layers", "heads", "mode", "tau", "stride", "block"});
  const std::string mode = reader.string("mode");
  if (mode != "dense" && mode != "xattn") {
    reader.fail_at("mode", got("unknown mode", mode, "dense or xattn"));
  }
  ScheduleRule rule{.steps = read_ranges(reader, "steps", num_steps, "step"),
                    .layers = read_ranges(reader, "layers", num_layers, "layer"),
                    .heads = read_ranges(reader, "heads", num_heads, "head"),
                    .sparse = mode == "xattn",
                    .tau = {},
                    .stride = {},
                    .block = {}};
  for (const std::string key : {"tau", "stride", "block"}) {
    if (!rule.sparse && reader.has(key)) reader.fail_at(key, "has no meaning in a dense rule");
  }
  const auto refuse = [&](const std::string& key, const std::optional<std::string>& problem) {
    if (problem) reader.fail_at(key, *problem);
  };
  if (reader.has("tau")) refuse("tau", tau_problem(*(rule.tau = reader.number("tau"))));
  if (reader.has("stride")) {
    refuse("stride", stride_problem(*(rule.stride = reader.integer("stride"))));
  }
  if (reader.has("block")) refuse("block", block_problem(*(rule.block = reader.integer("block"))));
  return rule;
}

std::vector<ScheduleRule> read_rules(const JsonReader& reader, int64_t num_steps,
                                     int64_t num_layers, int64_t num_heads) {
  reader.refuse_unknown_keys({"format", "rules"});
  check_format(reader);
  std::vector<ScheduleRule> rules;
  for (const auto& rule : reader.objects("rules")) {
    rules.push_back(read_rule(rule, num_steps, num_layers, num_heads));
  }
  return rules;
}

}  // namespace

std::vector<IndexRange> parse_ranges(const std::string& text, int64_t size,
                                     const std::string& where, const std::string& noun) {
  if (text == "*") return {{0, size - 1}};
  std::vector<IndexRange> ranges;
  for (const auto& part : split(text, ',')) {
    const auto dash = part.find('-');
    const auto first = whole_number(part.substr(0, dash));
    const auto last = dash == std::string::npos ? first : whole_number(part.substr(dash + 1));
    if (!first || !last || *first > *last) {
      fail<ConfigError>(where, ": not a list of ranges: got '", printable(text),
                        "', want such as 0-2,57 or *");
    }
    if (*last >= size) {
      fail<ConfigError>(where, ": no such ", noun, ": got ", *last, ", want 0 to ", size - 1);
    }
    ranges.push_back({*first, *last});
  }
  return ranges;
}

Protection parse_protection(const std::string& text, const std::string& where) {
  Protection protection{.text = false, .self = false, .sink = 0};
  if (text.empty() || text == "none") return protection;
  for (const auto& part : split(text, ',')) {
    const int64_t sink = part.starts_with("sink=") ? whole_number(part.substr(5)).value_or(0) : 0;
    if (part == "text") {
      protection.text = true;
    } else if (part == "self") {
      protection.self = true;
    } else if (sink > 0) {
      protection.sink = sink;
    } else {
      fail<ConfigError>(where, ": unknown part: got '", printable(part),
                        "', want text, self or sink=N with N of at least 1");
    }
  }
  return protection;
}

int64_t parse_step_count(const std::string& text, int64_t num_steps, const std::string& where) {
  const bool percent = text.ends_with('%');
  const auto count = whole_number(percent ? text.substr(0, text.size() - 1) : text);
  if (!count || (percent && *count > 100)) {
    fail<ConfigError>(where, ": not a number of steps: got '", printable(text),
                      "', want N, or N% with N from 0 to 100");
  }
  return percent ? *count * num_steps / 100 : *count;
}

std::vector<ScheduleRule> read_schedule_file(const std::filesystem::path& file, int64_t num_steps,
                                             int64_t num_layers, int64_t num_heads) {
  return read_rules(JsonReader::open(file, JsonOwner::kUser), num_steps, num_layers, num_heads);
}

std::vector<ScheduleRule> read_schedule(const std::string& text, int64_t num_steps,
                                        int64_t num_layers, int64_t num_heads) {
  return read_rules(JsonReader::parse(text, "schedule", JsonOwner::kUser), num_steps, num_layers,
                    num_heads);
}

std::vector<std::vector<double>> read_head_tau_file(const std::filesystem::path& file,
                                                    int64_t num_layers, int64_t num_heads) {
  const JsonReader reader = JsonReader::open(file, JsonOwner::kUser);
  reader.refuse_unknown_keys({"format", "tau"});
  check_format(reader);
  const auto& layers = reader.raw("tau");
  if (!layers.is_array() || std::ssize(layers) != num_layers) {
    reader.fail_at("tau", got("wrong length", layers.is_array() ? layers.size() : 0,
                              std::to_string(num_layers) + " layers, each an array of taus"));
  }
  std::vector<std::vector<double>> taus;
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string key = "tau/" + std::to_string(i);
    if (!layers[i].is_array() || std::ssize(layers[i]) != num_heads) {
      reader.fail_at(key, got("wrong length", layers[i].is_array() ? layers[i].size() : 0,
                              std::to_string(num_heads) + " heads"));
    }
    auto& row = taus.emplace_back();
    for (size_t j = 0; j < layers[i].size(); ++j) {
      const auto& value = layers[i][j];
      if (!value.is_number()) {
        reader.fail_at(key + "/" + std::to_string(j), "wrong type: want a number");
      }
      row.push_back(value.get<double>());
      if (const auto problem = tau_problem(row.back())) {
        reader.fail_at(key + "/" + std::to_string(j), *problem);
      }
    }
  }
  return taus;
}

std::optional<std::string> tau_problem(double tau) {
  if (tau > 0 && tau <= 1) return {};  // NaN fails both
  return got("out of range", tau, "above 0 and at most 1 (1 keeps every block)");
}

std::optional<std::string> stride_problem(int64_t stride) {
  if (stride == 4 || stride == 8 || stride == 16) return {};
  return got("not supported", stride, "4, 8 or 16");
}

std::optional<std::string> block_problem(int64_t block) {
  if (block == 64 || block == 128) return {};
  return got("not supported", block, "64 or 128, a multiple of the stride");
}

}  // namespace reel::attention
