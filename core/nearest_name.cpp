#include "core/nearest_name.h"

#include <algorithm>

namespace reel {
namespace {

// Optimal string alignment distance.
size_t num_edits(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& candidates) {
  const std::string* best = nullptr;
  size_t best_edits = 0;
  for (const auto& candidate : candidates) {
    const size_t edits = num_edits(name, candidate);
    if (best == nullptr || edits < best_edits) {
      best = &candidate;
      best_edits = edits;
    }
  }
  if (best == nullptr || best_edits * 3 > std::max(name.size(), best->size())) return std::nullopt;
  return *best;
}

}  // namespace reel
