#include "app/sweep_plan.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "app/lpips_flag.h"
#include "app/setting_text.h"
#include "batch/job_list.h"
#include "core/nearest_name.h"
#include "core/printable.h"

namespace reel::app {
namespace {

constexpr const char* kDefaultGrid = "tau=0.8,0.9,0.95";
constexpr const char* kDense = "dense";

// Sets one key of a line as its author would have written it. False if the value is no such value.
bool set_value(const std::string& key, const std::string& value, batch::JobLine& line) {
  nlohmann::json written = value;
  if (key == "tau" || key == "stride" || key == "block") {
    written = nlohmann::json::parse(value, nullptr, /*allow_exceptions=*/false);
    if (!written.is_number() || (key != "tau" && !written.is_number_integer())) return false;
  }
  if (key == "tau") line.tau = written.get<double>();
  if (key == "stride") line.stride = written.get<int64_t>();
  if (key == "block") line.block = written.get<int64_t>();
  if (key == "dense_steps") line.dense_steps = value;
  if (key == "select") line.select = value;
  if (key == "rule") line.rule = value;
  line.settings[key] = written;
  return true;
}

struct Axis {
  std::string key;
  std::vector<std::string> values;
};

std::optional<Axis> parse_axis(const std::string& text, Problems& problems) {
  static const std::vector<std::string> kKeys = {"tau",         "stride", "block",
                                                 "dense-steps", "select", "rule"};
  const size_t equals = text.find('=');
  Axis axis{trimmed(text.substr(0, equals)), {}};
  if (std::ranges::find(kKeys, axis.key) == kKeys.end()) {
    const auto nearest = nearest_name(axis.key, kKeys);
    problems.add("--grid: unknown key: got ", printable(axis.key),
                 nearest ? "; did you mean " + *nearest + "?"
                         : ", want tau, stride, block, dense-steps, select or rule");
    return std::nullopt;
  }
  std::ranges::replace(axis.key, '-', '_');
  if (equals != std::string::npos) axis.values = split(text.substr(equals + 1), ',');
  batch::JobLine scratch;
  std::set<std::string> seen;
  for (const auto& value : axis.values) {
    if (value.empty() || !set_value(axis.key, value, scratch)) {
      problems.add("--grid: ", axis.key, ": wrong value: got '", printable(value), "'");
    } else if (!seen.insert(value).second) {
      problems.add("--grid: ", axis.key, ": got ", printable(value), " twice");
    }
  }
  if (axis.values.empty()) problems.add("--grid: ", axis.key, ": no value: want KEY=VALUE,...");
  return axis;
}

std::string cell_id(const batch::JobLine& line, const std::string& setting) {
  return line.id + "_" + setting;
}

std::vector<batch::JobLine> sweep_lines(const ParsedFlags& flags,
                                        const std::vector<SweepCell>& cells, Problems& problems) {
  std::vector<batch::JobLine> result;
  if (flags.arguments().empty()) {
    problems.add("job file: is missing: want FILE.jsonl, FILE.csv or FILE.txt");
    return result;
  }
  for (const auto& line : batch::read_job_list(flags.arguments().front(), problems)) {
    for (const char* key : {"attn", "tau", "stride", "block", "dense_steps", "schedule", "select",
                            "rule", "output"}) {
      if (line.settings.contains(key)) {
        problems.add(line.where, ": ", key, ": the sweep decides this: want no such key");
      }
    }
    batch::JobLine dense = line;
    dense.id = cell_id(line, kDense);
    dense.attention_mode = dense.settings["attn"] = kDense;
    dense.tags["sweep"] = {{"setting", kDense}, {"line", line.id}};
    result.push_back(std::move(dense));
    for (const auto& cell : cells) {
      batch::JobLine sparse = line;
      sparse.id = cell_id(line, cell.file_name());
      for (const auto& [key, value] : cell.values) set_value(key, value, sparse);
      sparse.tags["sweep"] = {{"setting", cell.name()}, {"line", line.id}};
      result.push_back(std::move(sparse));
    }
  }
  return result;
}

}  // namespace

std::string SweepCell::name() const {
  std::string text;
  for (const auto& [key, value] : values) {
    std::string flag = key;
    std::ranges::replace(flag, '_', '-');
    text += (text.empty() ? "" : ", ") + flag + "=" + value;
  }
  return text;
}

std::string SweepCell::file_name() const {
  return as_file_name(name());
}

std::vector<SweepCell> parse_grid(const std::string& text, Problems& problems) {
  std::vector<SweepCell> cells = {{}};
  std::set<std::string> keys;
  const auto parts = split_filled(text, ';');
  for (const auto& part : parts) {
    const auto axis = parse_axis(part, problems);
    if (!axis) continue;
    if (!keys.insert(axis->key).second) problems.add("--grid: ", axis->key, ": came twice");
    std::vector<SweepCell> longer;
    for (const auto& cell : cells) {
      for (const auto& value : axis->values) {
        longer.push_back(cell);
        longer.back().values.emplace_back(axis->key, value);
      }
    }
    cells = std::move(longer);
  }
  if (parts.empty()) problems.add("--grid: names no setting: want \"tau=0.8,0.9\", say");
  return cells;
}

SweepPlan plan_sweep(const ParsedFlags& flags) {
  Problems grid;
  auto cells = parse_grid(flags.text("--grid").value_or(kDefaultGrid), grid);
  auto lpips = lpips_file(flags, grid);
  grid.throw_if_any<ConfigError>("sweep");
  auto batch =
      plan_batch(flags, [&](Problems& problems) { return sweep_lines(flags, cells, problems); });
  return {std::move(batch), std::move(cells), std::move(lpips)};
}

}  // namespace reel::app
