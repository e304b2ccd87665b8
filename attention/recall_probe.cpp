#include "attention/recall_probe.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace reel::attention {
namespace {

using nlohmann::json;

json number_or_null(double value) {
  return std::isnan(value) ? json() : json(value);
}

json means(const std::vector<double>& sums, double count) {
  json values = json::array();
  for (const double sum : sums) values.push_back(sum / count);
  return values;
}

}  // namespace

void RecallProbe::add_call(int64_t step, int64_t layer, bool dense, std::span<const double> recall,
                           std::span<const double> density) {
  Call& call = calls_[{step, layer}];
  call.dense = dense;
  call.num_calls += 1;
  call.recall_sum.resize(recall.size(), 0.0);
  call.density_sum.resize(density.size(), 0.0);
  for (size_t head = 0; head < recall.size(); ++head) call.recall_sum[head] += recall[head];
  for (size_t head = 0; head < density.size(); ++head) call.density_sum[head] += density[head];
}

double RecallProbe::mean_of(bool dense) const {
  double sum = 0;
  double count = 0;
  for (const auto& [key, call] : calls_) {
    if (call.dense != dense) continue;
    for (const double value : call.recall_sum) sum += value;
    count += call.num_calls * static_cast<double>(call.recall_sum.size());
  }
  return count > 0 ? sum / count : std::numeric_limits<double>::quiet_NaN();
}

double RecallProbe::mean() const {
  return mean_of(false);
}

json RecallProbe::to_json() const {
  json result = {{"format", 1},
                 {"samples", num_samples_},
                 {"mean", number_or_null(mean())},
                 {"mean_dense_steps", number_or_null(mean_of(true))},
                 {"dense", json::array()},
                 {"recall", json::array()},
                 {"density", json::array()}};
  int64_t num_layers = 0;
  for (const auto& [key, call] : calls_) num_layers = std::max(num_layers, key.second + 1);
  const int64_t num_steps = calls_.empty() ? 0 : calls_.rbegin()->first.first + 1;
  for (int64_t step = 0; step < num_steps; ++step) {
    json dense = json::array(), recall = json::array(), density = json::array();
    for (int64_t layer = 0; layer < num_layers; ++layer) {
      const auto found = calls_.find({step, layer});
      const bool measured = found != calls_.end();
      dense.push_back(measured ? json(found->second.dense) : json());
      recall.push_back(measured ? means(found->second.recall_sum, found->second.num_calls)
                                : json());
      density.push_back(measured ? means(found->second.density_sum, found->second.num_calls)
                                 : json());
    }
    result["dense"].push_back(std::move(dense));
    result["recall"].push_back(std::move(recall));
    result["density"].push_back(std::move(density));
  }
  return result;
}

}  // namespace reel::attention
