// How much of the true attention the selected blocks of a run hold: exact, on a sample of rows.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <utility>
#include <vector>

namespace reel::attention {

/// What was measured, by step, layer and head.
class RecallProbe {
 public:
  /// `num_samples` query blocks of every head and call, evenly spaced over the scored ones.
  explicit RecallProbe(int64_t num_samples) : num_samples_(num_samples) {}

  int64_t num_samples() const { return num_samples_; }

  /// Adds one call, `recall` and `density` one a head; `dense` if it ran dense and the blocks are
  /// those that a sparse call would have selected. Calls of one step and layer are averaged.
  void add_call(int64_t step, int64_t layer, bool dense, std::span<const double> recall,
                std::span<const double> density);

  /// Mean over all heads of the sparse calls; none if there is none.
  double mean() const;

  /// {"format":1,"samples","mean","mean_dense_steps","dense":[steps][layers],"recall" and
  /// "density":[steps][layers][heads]}; calls that were not measured, and means of none, are null.
  nlohmann::json to_json() const;

 private:
  struct Call {
    bool dense = false;
    double num_calls = 0;
    std::vector<double> recall_sum, density_sum;  // [A]
  };

  double mean_of(bool dense) const;

  int64_t num_samples_;
  std::map<std::pair<int64_t, int64_t>, Call> calls_;  // by step, layer
};

}  // namespace reel::attention
