// VBench's quality, semantic and total score from its result files, and tables of them.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace reel::vbench {

/// Raw scores by dimension, in [0, 1].
using RawScores = std::map<std::string, double>;

/// Finds the raw scores of a result file ({dimension: [score, ...]}) or of all *_eval_results.json
/// below a folder; of two results for a dimension the one with the later name counts. An imaging
/// quality above 1 is per cent, as older versions of VBench write it. Throws ConfigError if there
/// is none, or one is no number.
RawScores read_scores(const std::filesystem::path& path);

/// The scores that papers quote, in [0, 1].
struct Scores {
  std::string name;  ///< of the system
  RawScores raw;
  std::map<std::string, double> normalised;  ///< (raw - min) / (max - min), not weighted
  std::vector<std::string> missing;          ///< dimensions without a result
  std::optional<double> quality;             ///< none unless all 7 are there
  std::optional<double> semantic;            ///< none unless all 9 are there
  std::optional<double> total;               ///< (4 quality + semantic) / 5
};

/// spec/cli-and-vbench.md 3.5. A missing dimension leaves its group's score and the total out;
/// VBench's own script counts it as 0.
Scores compute_scores(const std::string& name, const RawScores& raw);

/// {"format":1, "systems":[{name, raw, normalised, missing, quality, semantic, total}]}.
nlohmann::json scores_json(const std::vector<Scores>& systems);

/// A row a dimension and score, in per cent: a column a system, and its difference to the first.
std::string scores_markdown(const std::vector<Scores>& systems);

/// The same as a page of its own.
std::string scores_html(const std::vector<Scores>& systems);

}  // namespace reel::vbench
