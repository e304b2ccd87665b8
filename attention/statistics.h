// What attention measured during a run: density of every call and head, time of every stage.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "attention/head_density.h"
#include "attention/time_point.h"

namespace reel::attention {

/// Milliseconds that one step spent in attention, and its number of calls. A call that has both
/// dense and sparse heads counts as sparse.
struct StepTimes {
  double score_ms = 0;
  double select_ms = 0;
  double attend_ms = 0;  ///< dense calls too
  int64_t num_sparse_calls = 0;
  int64_t num_dense_calls = 0;
};

/// The borders of score, select and attend in one call.
using StageBorders = std::array<TimePoint, 4>;

/// Some heads of a call, and their density.
struct HeadGroupDensity {
  std::vector<int64_t> heads;
  HeadDensity density;  ///< one for each of heads
};

class Statistics {
 public:
  /// Adds one call: selected blocks / all blocks of each head (1 if dense). Several calls of one
  /// step and layer (batch items, guidance) are averaged.
  void add_call(int64_t step, int64_t layer, std::span<const double> density, bool sparse);

  /// Adds one sparse call whose density is perhaps still being counted; `groups` hold each of its
  /// heads once. It is part of what was measured after the next settle().
  void add_pending_call(int64_t step, int64_t layer, std::vector<HeadGroupDensity> groups);

  /// Adds stage times to a step, to be read off the device's clock later.
  void add_times(int64_t step, const StageBorders& borders);

  /// Adds the name of an implementation that ran (gpu_kernels.h).
  void add_kernel(bool sparse, const std::string& name) {
    (sparse ? sparse_kernels_ : dense_kernels_).insert(name);
  }

  /// Reads pending calls and times; waits for a GPU to have finished the calls. Others see only
  /// what was settled.
  void settle();

  /// Density of each head in one call; empty if it never ran.
  std::vector<double> density(int64_t step, int64_t layer) const;

  /// Density of all calls of one step as [layers, A] fp32 on the CPU.
  at::Tensor step_density(int64_t step) const;

  /// Mean density over the calls and heads of one step, of all steps, and of all sparse calls (1 if
  /// there is none). 1 for a step that never ran.
  double mean_density(int64_t step) const;
  double mean_density() const;
  double mean_sparse_density() const;

  int64_t num_steps() const;  ///< highest step that ran, plus 1
  StepTimes times(int64_t step) const;
  StepTimes total_times() const;

  /// {"format":1,"mean","mean_sparse","by_step":[steps],"density":[steps][layers][heads]}; a call
  /// that never ran is null.
  nlohmann::json density_json() const;

  /// {"format":1,"total":{score_ms,select_ms,attend_ms,sparse_calls,dense_calls},"steps":[same]}.
  nlohmann::json times_json() const;

  /// {"dense","sparse"}: names of what ran, several joined by " + "; kinds that never ran are left
  /// out.
  nlohmann::json kernels_json() const;

 private:
  struct Call {
    std::vector<double> density_sum;  // [A]
    int64_t num_calls = 0;
    bool sparse = false;
  };

  double mean(int64_t first_step, int64_t last_step, bool only_sparse) const;
  int64_t num_layers() const;

  std::map<std::pair<int64_t, int64_t>, Call> calls_;  // by step, layer
  std::map<int64_t, StepTimes> times_;                 // by step

  std::set<std::string> dense_kernels_, sparse_kernels_;

  struct PendingCall {
    int64_t step, layer;
    std::vector<HeadGroupDensity> groups;
  };
  std::vector<PendingCall> pending_calls_;
  std::vector<std::pair<int64_t, StageBorders>> pending_times_;
};

}  // namespace reel::attention
