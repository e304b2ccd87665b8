// The density of a call's heads, which a GPU may still be counting.
// Letters (docs/SHAPES.md): A heads.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "attention/time_point.h"

namespace reel::attention {

/// Selected blocks / all blocks of each head. Cheap to copy.
class HeadDensity {
 public:
  HeadDensity() = default;

  explicit HeadDensity(std::vector<double> values) : values_(std::move(values)) {}

  /// From the number of selected blocks [A] int64 on a GPU and the number of all blocks of a head:
  /// starts to copy it to the host and does not wait.
  HeadDensity(const at::Tensor& selected, double num_pairs);

  /// One a head; waits until the GPU has counted.
  std::vector<double> values() const;

 private:
  std::vector<double> values_;
  at::Tensor selected_;  // [A] int64, pinned, complete at ready_; undefined: values_ are known
  double num_pairs_ = 1;
  TimePoint ready_;
};

}  // namespace reel::attention
