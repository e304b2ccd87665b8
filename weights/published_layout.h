// How a published checkpoint spells and splits the tensors of a weight table: data, not code paths.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weights/weight_table.h"

namespace reel::weights {

/// How the parts in a file become one internal tensor.
enum class Assembly {
  kConcatRows,  ///< stack the parts along dimension 0 (one part: take it as it is)
  kSwapHalves,  ///< one part whose two halves along dimension 0 change places
};

/// A part of an internal tensor: the stem (name without .weight or .bias) in the file and its rows
/// (0: an equal share of what the other parts leave).
struct Part {
  std::string stem;
  int64_t rows = 0;
};

/// Spells one internal stem in a published layout. "{}" stands for a block number, the same in
/// every stem of the rule.
struct Rule {
  std::string internal;
  std::vector<Part> parts;
  Assembly assembly = Assembly::kConcatRows;
};

/// One internal tensor as the tensors of a file make it up, in order of rows.
struct Recipe {
  WeightSpec target;
  std::vector<WeightSpec> parts;
  Assembly assembly = Assembly::kConcatRows;
};

/// Applies `rules` to every tensor of `table`, .weight and .bias alike. The rule whose internal
/// stem is the longest match decides: it matches the whole stem, or, as a prefix ending in '.', the
/// beginning, whose rest is then kept. A tensor without a rule keeps its name. Names in the file
/// get `prefix` in front.
std::vector<Recipe> recipes_for(const WeightTable& table, const std::vector<Rule>& rules,
                                const std::string& prefix = "");

}  // namespace reel::weights
