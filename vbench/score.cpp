#include "vbench/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "core/error.h"
#include "core/strict_json.h"
#include "vbench/protocol.h"

namespace reel::vbench {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kEnding = "_eval_results.json";
constexpr double kQualityShare = 4;
constexpr double kSemanticShare = 1;

// [score, [...]] as VBench writes it, or a bare number.
std::optional<double> score_in(const json& value) {
  const json& score = value.is_array() && !value.empty() ? value.front() : value;
  if (score.is_boolean()) return score.get<bool>() ? 1.0 : 0.0;
  if (!score.is_number() || !std::isfinite(score.get<double>())) return std::nullopt;
  return score.get<double>();
}

void read_file(const fs::path& file, RawScores& raw) {
  std::ifstream stream(file, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  const json results = try_strict_json(text).value_or(json());
  if (!results.is_object()) {
    fail<ConfigError>(file.string(), ": not a result of VBench: want {DIMENSION: [SCORE, ...]}");
  }
  for (const auto& item : results.items()) {
    std::string name = item.key();
    std::replace(name.begin(), name.end(), ' ', '_');
    if (find_dimension(name) == nullptr) continue;
    const auto score = score_in(item.value());
    if (!score) fail<ConfigError>(file.string(), ": /", item.key(), ": not a score");
    const bool per_cent = name == "imaging_quality" && *score > 1;
    const double value = per_cent ? *score / 100 : *score;
    if (value < 0 || value > 1) {
      fail<ConfigError>(file.string(), ": /", item.key(), ": out of range: got ", *score,
                        ", want 0 to 1");
    }
    raw[name] = value;
  }
}

std::optional<double> group_score(const Scores& scores, Group group) {
  double sum = 0;
  double weights = 0;
  for (const auto& dimension : dimensions()) {
    if (dimension.group != group) continue;
    const auto found = scores.normalised.find(dimension.name);
    if (found == scores.normalised.end()) return std::nullopt;
    sum += dimension.weight * found->second;
    weights += dimension.weight;
  }
  return sum / weights;
}

struct Row {
  std::string name;
  std::vector<std::optional<double>> values;  // one a system
};

std::vector<Row> rows_of(const std::vector<Scores>& systems) {
  std::vector<Row> rows;
  for (const auto& dimension : dimensions()) {
    Row row{dimension.name, {}};
    for (const auto& system : systems) {
      const auto found = system.raw.find(dimension.name);
      row.values.push_back(found == system.raw.end() ? std::nullopt : std::optional(found->second));
    }
    rows.push_back(std::move(row));
  }
  Row quality{"Quality", {}};
  Row semantic{"Semantic", {}};
  Row total{"Total", {}};
  for (const auto& system : systems) {
    quality.values.push_back(system.quality);
    semantic.values.push_back(system.semantic);
    total.values.push_back(system.total);
  }
  rows.insert(rows.end(), {quality, semantic, total});
  return rows;
}

std::string cell(const std::optional<double>& value) {
  return value ? fmt::format("{:.2f}", *value * 100) : "-";
}

std::string difference(const Row& row, size_t system) {
  if (!row.values.front() || !row.values[system]) return "-";
  return fmt::format("{:+.2f}", (*row.values[system] - *row.values.front()) * 100);
}

std::string incomplete_line(const Scores& system) {
  std::string line =
      fmt::format("{}: INCOMPLETE, {} of {} dimensions; without a result:", system.name,
                  system.raw.size(), dimensions().size());
  for (const auto& name : system.missing) line += " " + name;
  return line;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

}  // namespace

RawScores read_scores(const fs::path& path) {
  std::error_code ignored;
  std::vector<fs::path> files;
  if (fs::is_directory(path, ignored)) {
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      const std::string name = entry.path().filename().string();
      if (entry.is_regular_file() && name.ends_with(kEnding)) files.push_back(entry.path());
    }
    // Names hold the time of the evaluation.
    std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
      return a.filename() < b.filename() || (a.filename() == b.filename() && a < b);
    });
    if (files.empty()) {
      fail<ConfigError>(path.string(), ": holds no result of VBench: want *", kEnding);
    }
  } else if (fs::is_regular_file(path, ignored)) {
    files.push_back(path);
  } else {
    fail<ConfigError>(path.string(), ": not there");
  }
  RawScores raw;
  for (const auto& file : files) read_file(file, raw);
  if (raw.empty()) fail<ConfigError>(path.string(), ": holds no dimension of VBench");
  return raw;
}

Scores compute_scores(const std::string& name, const RawScores& raw) {
  Scores scores{.name = name,
                .raw = raw,
                .normalised = {},
                .missing = {},
                .quality = {},
                .semantic = {},
                .total = {}};
  for (const auto& dimension : dimensions()) {
    const auto found = raw.find(dimension.name);
    if (found == raw.end()) {
      scores.missing.emplace_back(dimension.name);
    } else {
      scores.normalised[dimension.name] =
          (found->second - dimension.min) / (dimension.max - dimension.min);
    }
  }
  scores.quality = group_score(scores, Group::kQuality);
  scores.semantic = group_score(scores, Group::kSemantic);
  if (scores.quality && scores.semantic) {
    scores.total = (kQualityShare * *scores.quality + kSemanticShare * *scores.semantic) /
                   (kQualityShare + kSemanticShare);
  }
  return scores;
}

json scores_json(const std::vector<Scores>& systems) {
  const auto number = [](const std::optional<double>& value) {
    return value ? json(*value) : json(nullptr);
  };
  json list = json::array();
  for (const auto& system : systems) {
    list.push_back({{"name", system.name},
                    {"raw", system.raw},
                    {"normalised", system.normalised},
                    {"missing", system.missing},
                    {"quality", number(system.quality)},
                    {"semantic", number(system.semantic)},
                    {"total", number(system.total)}});
  }
  return {{"format", 1}, {"systems", std::move(list)}};
}

std::string scores_markdown(const std::vector<Scores>& systems) {
  std::string text = "| VBench, per cent |";
  std::string rule = "|---|";
  for (size_t i = 0; i < systems.size(); ++i) {
    text += fmt::format(" {} |", systems[i].name);
    rule += "---:|";
    if (i == 0) continue;
    text += fmt::format(" {} - {} |", systems[i].name, systems.front().name);
    rule += "---:|";
  }
  text += "\n" + rule + "\n";
  for (const auto& row : rows_of(systems)) {
    text += fmt::format("| {} |", row.name);
    for (size_t i = 0; i < systems.size(); ++i) {
      text += fmt::format(" {} |", cell(row.values[i]));
      if (i > 0) text += fmt::format(" {} |", difference(row, i));
    }
    text += "\n";
  }
  for (const auto& system : systems) {
    if (!system.missing.empty()) text += fmt::format("\n{}\n", incomplete_line(system));
  }
  return text;
}

std::string scores_html(const std::vector<Scores>& systems) {
  std::string text =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>VBench scores</title>\n<style>\n"
      "body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: "
      "0 "
      "1rem; }\n"
      ".wide { overflow-x: auto; }\ntable { border-collapse: collapse; }\n"
      "th, td { padding: .25rem .75rem; border-bottom: 1px solid #ccc; text-align: right; "
      "white-space: nowrap; }\n"
      "th:first-child, td:first-child { text-align: left; }\n"
      ".sum { font-weight: bold; }\n.incomplete { color: #a00; }\n</style>\n</head>\n<body>\n"
      "<h1>VBench scores, per cent</h1>\n<div class=\"wide\">\n<table>\n<thead><tr><th "
      "scope=\"col\">Dimension</th>";
  for (size_t i = 0; i < systems.size(); ++i) {
    text += fmt::format("<th scope=\"col\">{}</th>", escaped(systems[i].name));
    if (i > 0) {
      text += fmt::format("<th scope=\"col\">{} &minus; {}</th>", escaped(systems[i].name),
                          escaped(systems.front().name));
    }
  }
  text += "</tr></thead>\n<tbody>\n";
  for (const auto& row : rows_of(systems)) {
    const bool is_sum = find_dimension(row.name) == nullptr;
    text += fmt::format("<tr{}><td>{}</td>", is_sum ? " class=\"sum\"" : "", row.name);
    for (size_t i = 0; i < systems.size(); ++i) {
      text += fmt::format("<td>{}</td>", cell(row.values[i]));
      if (i > 0) text += fmt::format("<td>{}</td>", difference(row, i));
    }
    text += "</tr>\n";
  }
  text += "</tbody>\n</table>\n</div>\n";
  for (const auto& system : systems) {
    if (system.missing.empty()) continue;
    text += fmt::format("<p class=\"incomplete\">{}</p>\n", escaped(incomplete_line(system)));
  }
  return text + "</body>\n</html>\n";
}

}  // namespace reel::vbench
