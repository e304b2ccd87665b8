#include "weights/published_layout.h"

#include <cctype>
#include <optional>

#include "core/error.h"

namespace reel::weights {
namespace {

// What a rule's pattern found in a stem: the block number of "{}" and what follows the pattern.
struct Match {
  std::string number;
  std::string rest;
  size_t length = 0;  // characters of the stem that the pattern covers
};

std::optional<Match> match(const std::string& pattern, const std::string& stem) {
  Match found;
  size_t p = 0;
  size_t s = 0;
  while (p < pattern.size()) {
    if (pattern.compare(p, 2, "{}") == 0) {
      const size_t begin = s;
      while (s < stem.size() && std::isdigit(static_cast<unsigned char>(stem[s])) != 0) ++s;
      if (s == begin) return std::nullopt;
      found.number = stem.substr(begin, s - begin);
      p += 2;
    } else if (s < stem.size() && pattern[p] == stem[s]) {
      ++p;
      ++s;
    } else {
      return std::nullopt;
    }
  }
  if (s != stem.size() && !pattern.ends_with('.')) return std::nullopt;
  found.rest = stem.substr(s);
  found.length = s;
  return found;
}

std::string fill(const std::string& pattern, const Match& found) {
  std::string text = pattern;
  if (const size_t at = text.find("{}"); at != std::string::npos) text.replace(at, 2, found.number);
  return text + found.rest;
}

std::vector<int64_t> part_rows(const Rule& rule, int64_t total, const std::string& name) {
  int64_t left = total;
  int64_t num_shares = 0;
  for (const auto& part : rule.parts) {
    left -= part.rows;
    if (part.rows == 0) ++num_shares;
  }
  if (left < 0 || (num_shares == 0 ? left != 0 : left % num_shares != 0)) {
    fail<ShapeError>("recipes_for: ", name, ": ", total, " rows do not fit ", rule.parts.size(),
                     " parts");
  }
  std::vector<int64_t> rows;
  for (const auto& part : rule.parts) {
    rows.push_back(part.rows != 0 ? part.rows : left / num_shares);
  }
  return rows;
}

Recipe recipe_for(const WeightSpec& spec, const std::vector<Rule>& rules,
                  const std::string& prefix) {
  const size_t dot = spec.name.rfind('.');
  const std::string stem = spec.name.substr(0, dot);
  const std::string kind = spec.name.substr(dot);  // ".weight" or ".bias"
  const Rule* rule = nullptr;
  Match found;
  for (const auto& candidate : rules) {
    const auto matched = match(candidate.internal, stem);
    if (matched && (rule == nullptr || matched->length > found.length)) {
      rule = &candidate;
      found = *matched;
    }
  }
  Recipe recipe{spec, {}, Assembly::kConcatRows};
  if (rule == nullptr) {
    recipe.parts.push_back({prefix + spec.name, spec.shape});
    return recipe;
  }
  recipe.assembly = rule->assembly;
  if (rule->assembly == Assembly::kSwapHalves &&
      (rule->parts.size() != 1 || spec.shape.at(0) % 2 != 0)) {
    fail<ShapeError>("recipes_for: ", spec.name,
                     ": only one part of an even number of rows has two ", "halves: got ",
                     rule->parts.size(), " parts, ", spec.shape.at(0), " rows");
  }
  const auto rows = part_rows(*rule, spec.shape.at(0), spec.name);
  for (size_t i = 0; i < rows.size(); ++i) {
    auto shape = spec.shape;
    shape[0] = rows[i];
    recipe.parts.push_back({prefix + fill(rule->parts[i].stem, found) + kind, std::move(shape)});
  }
  return recipe;
}

}  // namespace

std::vector<Recipe> recipes_for(const WeightTable& table, const std::vector<Rule>& rules,
                                const std::string& prefix) {
  std::vector<Recipe> recipes;
  recipes.reserve(table.specs().size());
  for (const auto& spec : table.specs()) recipes.push_back(recipe_for(spec, rules, prefix));
  return recipes;
}

}  // namespace reel::weights
