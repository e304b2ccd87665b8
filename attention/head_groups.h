// Heads of one call that can run together.
#pragma once

#include <cstdint>
#include <vector>

#include "attention/schedule.h"
#include "attention/xattention.h"

namespace reel::attention {

/// Heads with equal stride and block, or the dense ones.
struct HeadGroup {
  std::vector<int64_t> heads;
  std::vector<double> taus;  ///< one for each of `heads`; empty: dense
  int64_t stride = 0;
  int64_t block = 0;

  bool dense() const { return taus.empty(); }

  /// What the schedule says of a call with these heads alone. The group must not be dense.
  SparseCall call(const AttentionSchedule& schedule, int64_t num_tokens, int64_t text_length) const;

  /// The heads' numbers [heads] int64 on `device`; does not wait for it.
  at::Tensor index(at::Device device) const;

  /// `x` [S, A, D] with these heads alone, on its device.
  at::Tensor of(const at::Tensor& x) const;
};

/// All heads of one call of the schedule, each in one group.
std::vector<HeadGroup> head_groups(const AttentionSchedule& schedule, int64_t step, int64_t layer);

}  // namespace reel::attention
