#include "attention/threshold_table.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace reel::attention {
namespace {

constexpr double kImpossible = -std::numeric_limits<double>::infinity();

int64_t units_of(double density) {
  constexpr double kRounding = 1e-9;
  return static_cast<int64_t>(std::ceil(density * static_cast<double>(kDensityUnits) - kRounding));
}

struct MeasuredHead {
  int64_t layer, head;
  HeadCurve curve;
};

std::vector<MeasuredHead> measured_heads(const HeadCurves& curves) {
  std::vector<MeasuredHead> heads;
  for (int64_t layer = 0; layer < curves.num_layers(); ++layer) {
    for (int64_t head = 0; head < curves.num_heads(); ++head) {
      if (!curves.is_measured(layer, head)) continue;
      heads.push_back({layer, head, curves.curve(layer, head)});
    }
  }
  if (heads.empty()) {
    fail<ConfigError>(
        "calibrate: no call would be sparse: want fewer --dense-steps, or layers "
        "that --dense-layers leaves");
  }
  return heads;
}

// Which threshold each head takes. best[c] is the largest sum of recalls of the heads so far that
// cost at most c units; choice remembers how the last of them got there.
std::vector<size_t> choose(const std::vector<MeasuredHead>& heads, int64_t budget) {
  const auto num_states = static_cast<size_t>(budget + 1);
  std::vector<double> best(num_states, 0.0);
  std::vector<std::vector<uint8_t>> choice;
  for (const auto& [layer, head, curve] : heads) {
    std::vector<double> next(num_states, kImpossible);
    std::vector<uint8_t> taken(num_states, 0);
    for (size_t level = 0; level < curve.density.size(); ++level) {
      const auto cost = static_cast<size_t>(units_of(curve.density[level]));
      for (size_t units = cost; units < num_states; ++units) {
        const double value = best[units - cost] + curve.recall[level];
        if (value <= next[units]) continue;
        next[units] = value;
        taken[units] = static_cast<uint8_t>(level);
      }
    }
    best = std::move(next);
    choice.push_back(std::move(taken));
  }
  if (best.back() == kImpossible) return {};
  // the cheapest state of that value
  auto units = static_cast<size_t>(std::ranges::find(best, best.back()) - best.begin());
  std::vector<size_t> levels(heads.size());
  for (size_t i = heads.size(); i-- > 0;) {
    levels[i] = choice[i][units];
    units -= static_cast<size_t>(units_of(heads[i].curve.density[levels[i]]));
  }
  return levels;
}

ThresholdTable table_of(const HeadCurves& curves, const std::vector<MeasuredHead>& heads,
                        const std::vector<size_t>& levels) {
  ThresholdTable table;
  table.taus.assign(static_cast<size_t>(curves.num_layers()),
                    std::vector<double>(static_cast<size_t>(curves.num_heads()), 1.0));
  const auto num_heads = static_cast<double>(heads.size());
  for (size_t i = 0; i < heads.size(); ++i) {
    const auto& [layer, head, curve] = heads[i];
    table.taus[static_cast<size_t>(layer)][static_cast<size_t>(head)] = curves.taus()[levels[i]];
    table.density += curve.density[levels[i]] / num_heads;
    table.recall += curve.recall[levels[i]] / num_heads;
  }
  return table;
}

}  // namespace

HeadCurves::HeadCurves(std::vector<double> taus, int64_t num_layers, int64_t num_heads)
    : taus_(std::move(taus)),
      num_layers_(num_layers),
      num_heads_(num_heads),
      sums_(static_cast<size_t>(num_layers * num_heads)) {
  constexpr size_t kMostLevels = 255;
  if (taus_.empty() || taus_.size() > kMostLevels || !std::ranges::is_sorted(taus_)) {
    fail<ShapeError>("HeadCurves: thresholds do not ascend, or are none or too many: got ",
                     taus_.size());
  }
  for (auto& sums : sums_) {
    sums.density.resize(taus_.size(), 0.0);
    sums.recall.resize(taus_.size(), 0.0);
  }
}

size_t HeadCurves::index(int64_t layer, int64_t head) const {
  if (layer < 0 || layer >= num_layers_ || head < 0 || head >= num_heads_) {
    fail<ShapeError>("HeadCurves: no such head: got layer ", layer, ", head ", head);
  }
  return static_cast<size_t>(layer * num_heads_ + head);
}

void HeadCurves::add(int64_t layer, int64_t head, std::span<const double> density,
                     std::span<const double> recall) {
  Sums& sums = sums_[index(layer, head)];
  for (size_t level = 0; level < taus_.size(); ++level) {
    sums.density[level] += density[level];
    sums.recall[level] += recall[level];
  }
  sums.num_calls += 1;
}

void HeadCurves::add(const HeadCurves& other) {
  if (other.taus_ != taus_ || other.sums_.size() != sums_.size()) {
    fail<ShapeError>("HeadCurves: other thresholds or heads");
  }
  for (size_t i = 0; i < sums_.size(); ++i) {
    for (size_t level = 0; level < taus_.size(); ++level) {
      sums_[i].density[level] += other.sums_[i].density[level];
      sums_[i].recall[level] += other.sums_[i].recall[level];
    }
    sums_[i].num_calls += other.sums_[i].num_calls;
  }
}

bool HeadCurves::is_measured(int64_t layer, int64_t head) const {
  return sums_[index(layer, head)].num_calls > 0;
}

HeadCurve HeadCurves::curve(int64_t layer, int64_t head) const {
  const Sums& sums = sums_[index(layer, head)];
  if (sums.num_calls == 0) {
    fail<ShapeError>("HeadCurves: layer ", layer, ", head ", head, " was never measured");
  }
  HeadCurve curve{sums.density, sums.recall};
  for (double& value : curve.density) value /= sums.num_calls;
  for (double& value : curve.recall) value /= sums.num_calls;
  return curve;
}

nlohmann::json HeadCurves::to_json() const {
  nlohmann::json heads = nlohmann::json::array();
  for (int64_t layer = 0; layer < num_layers_; ++layer) {
    for (int64_t head = 0; head < num_heads_; ++head) {
      if (!is_measured(layer, head)) continue;
      const HeadCurve means = curve(layer, head);
      heads.push_back(
          {{"layer", layer}, {"head", head}, {"density", means.density}, {"recall", means.recall}});
    }
  }
  return {{"format", 1}, {"tau", taus_}, {"heads", std::move(heads)}};
}

nlohmann::json ThresholdTable::to_json() const {
  return {{"format", 1}, {"tau", taus}};
}

ThresholdTable uniform_table(const HeadCurves& curves, double tau) {
  const auto found = std::ranges::find(curves.taus(), tau);
  if (found == curves.taus().end()) fail<ShapeError>("uniform_table: tau was not measured: ", tau);
  const auto heads = measured_heads(curves);
  const auto level = static_cast<size_t>(found - curves.taus().begin());
  return table_of(curves, heads, std::vector<size_t>(heads.size(), level));
}

ThresholdTable best_table(const HeadCurves& curves, double budget) {
  const auto heads = measured_heads(curves);
  const auto units = static_cast<int64_t>(
      std::floor(budget * static_cast<double>(kDensityUnits * std::ssize(heads)) + 1e-9));
  const auto levels = choose(heads, std::max<int64_t>(units, 0));
  if (levels.empty()) {
    fail<ConfigError>("--budget: too small: got ", budget, ", but tau = ", curves.taus().front(),
                      " needs ", uniform_table(curves, curves.taus().front()).density,
                      " of the blocks");
  }
  return table_of(curves, heads, levels);
}

}  // namespace reel::attention
