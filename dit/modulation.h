// Shifts, scales and gates that the conditioning vector decides.
// Shape letters (docs/SHAPES.md): M model width.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <string>

#include "dit/linear.h"

namespace reel::dit {

/// A linear layer whose output is `kCount` vectors of the model width.
template <size_t kCount>
class Modulation {
 public:
  Modulation(weights::WeightStore& store, const std::string& stem) : linear_(store, stem) {}

  /// `activated` [1, M] is silu(conditioning). Returns kCount tensors [M], in the file's order.
  std::array<at::Tensor, kCount> operator()(const at::Tensor& activated) const {
    const at::Tensor all = linear_(activated).view({kCount, -1});
    std::array<at::Tensor, kCount> vectors;
    for (size_t i = 0; i < kCount; ++i) vectors[i] = all.select(0, static_cast<int64_t>(i));
    return vectors;
  }

 private:
  Linear linear_;
};

}  // namespace reel::dit
