#include "attention/statistics.h"

#include <ATen/ATen.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace reel::attention {
namespace {

nlohmann::json to_json(const StepTimes& times) {
  return {{"score_ms", times.score_ms},
          {"select_ms", times.select_ms},
          {"attend_ms", times.attend_ms},
          {"sparse_calls", times.num_sparse_calls},
          {"dense_calls", times.num_dense_calls}};
}

}  // namespace

void Statistics::add_call(int64_t step, int64_t layer, std::span<const double> density,
                          bool sparse) {
  Call& call = calls_[{step, layer}];
  call.density_sum.resize(std::max(call.density_sum.size(), density.size()), 0.0);
  if (call.density_sum.size() != density.size()) {
    fail<ShapeError>("Statistics: number of heads changed: got ", density.size(), ", want ",
                     call.density_sum.size());
  }
  for (size_t head = 0; head < density.size(); ++head) call.density_sum[head] += density[head];
  ++call.num_calls;
  call.sparse = call.sparse || sparse;
  auto& times = times_[step];
  ++(sparse ? times.num_sparse_calls : times.num_dense_calls);
}

void Statistics::add_pending_call(int64_t step, int64_t layer,
                                  std::vector<HeadGroupDensity> groups) {
  pending_calls_.push_back({step, layer, std::move(groups)});
}

void Statistics::add_times(int64_t step, const StageBorders& borders) {
  pending_times_.emplace_back(step, borders);
}

void Statistics::settle() {
  for (const auto& call : pending_calls_) {
    size_t num_heads = 0;
    for (const auto& group : call.groups) num_heads += group.heads.size();
    std::vector<double> density(num_heads);
    for (const auto& group : call.groups) {
      const auto values = group.density.values();
      for (size_t i = 0; i < group.heads.size(); ++i) {
        density.at(static_cast<size_t>(group.heads[i])) = values.at(i);
      }
    }
    add_call(call.step, call.layer, density, /*sparse=*/true);
  }
  pending_calls_.clear();
  for (const auto& [step, borders] : pending_times_) {
    auto& times = times_[step];
    times.score_ms += borders[0].ms_until(borders[1]);
    times.select_ms += borders[1].ms_until(borders[2]);
    times.attend_ms += borders[2].ms_until(borders[3]);
  }
  pending_times_.clear();
}

std::vector<double> Statistics::density(int64_t step, int64_t layer) const {
  const auto found = calls_.find({step, layer});
  if (found == calls_.end()) return {};
  std::vector<double> density = found->second.density_sum;
  for (double& value : density) value /= static_cast<double>(found->second.num_calls);
  return density;
}

at::Tensor Statistics::step_density(int64_t step) const {
  std::vector<at::Tensor> rows;
  for (int64_t layer = 0; layer < num_layers(); ++layer) {
    rows.push_back(at::tensor(density(step, layer), at::kFloat));
  }
  return at::stack(rows);
}

double Statistics::mean(int64_t first_step, int64_t last_step, bool only_sparse) const {
  double sum = 0;
  double count = 0;
  for (const auto& [key, call] : calls_) {
    if (key.first < first_step || key.first > last_step || (only_sparse && !call.sparse)) continue;
    for (const double value : call.density_sum) sum += value;
    count += static_cast<double>(call.num_calls * std::ssize(call.density_sum));
  }
  return count > 0 ? sum / count : 1.0;
}

double Statistics::mean_density(int64_t step) const {
  return mean(step, step, false);
}

double Statistics::mean_density() const {
  return mean(0, std::numeric_limits<int64_t>::max(), false);
}

double Statistics::mean_sparse_density() const {
  return mean(0, std::numeric_limits<int64_t>::max(), true);
}

int64_t Statistics::num_steps() const {
  return calls_.empty() ? 0 : calls_.rbegin()->first.first + 1;
}

int64_t Statistics::num_layers() const {
  int64_t count = 0;
  for (const auto& [key, call] : calls_) count = std::max(count, key.second + 1);
  return count;
}

StepTimes Statistics::times(int64_t step) const {
  const auto found = times_.find(step);
  return found == times_.end() ? StepTimes() : found->second;
}

StepTimes Statistics::total_times() const {
  StepTimes total;
  for (const auto& [step, times] : times_) {
    total.score_ms += times.score_ms;
    total.select_ms += times.select_ms;
    total.attend_ms += times.attend_ms;
    total.num_sparse_calls += times.num_sparse_calls;
    total.num_dense_calls += times.num_dense_calls;
  }
  return total;
}

nlohmann::json Statistics::density_json() const {
  nlohmann::json json = {{"format", 1},
                         {"mean", mean_density()},
                         {"mean_sparse", mean_sparse_density()},
                         {"by_step", nlohmann::json::array()},
                         {"density", nlohmann::json::array()}};
  for (int64_t step = 0; step < num_steps(); ++step) {
    json["by_step"].push_back(mean_density(step));
    nlohmann::json layers = nlohmann::json::array();
    for (int64_t layer = 0; layer < num_layers(); ++layer) {
      const auto heads = density(step, layer);
      layers.push_back(heads.empty() ? nlohmann::json() : nlohmann::json(heads));
    }
    json["density"].push_back(std::move(layers));
  }
  return json;
}

nlohmann::json Statistics::times_json() const {
  nlohmann::json json = {
      {"format", 1}, {"total", to_json(total_times())}, {"steps", nlohmann::json::array()}};
  for (int64_t step = 0; step < num_steps(); ++step) json["steps"].push_back(to_json(times(step)));
  return json;
}

nlohmann::json Statistics::kernels_json() const {
  nlohmann::json json = nlohmann::json::object();
  const auto add = [&](const char* kind, const std::set<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : " + ") + name;
    if (!text.empty()) json[kind] = text;
  };
  add("dense", dense_kernels_);
  add("sparse", sparse_kernels_);
  return json;
}

}  // namespace reel::attention
