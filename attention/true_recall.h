// How much of the true attention the selected blocks hold, on a sample of query blocks.
// Letters (docs/SHAPES.md): S joint tokens, A heads, D head dim, n blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "attention/block_plan.h"

namespace reel::attention {

/// The true attention of some query blocks.
struct TrueMass {
  std::vector<int64_t> queries;  ///< which, ascending
  at::Tensor share;              ///< [A, queries, n] fp32: of every key block, mean over tokens

  /// How much of it lies in the blocks of a mask, mean over the queries: [A] fp32 on the CPU. mask
  /// [A, n, n] bool on the device of `share`.
  at::Tensor recall(const at::Tensor& mask) const;
};

/// `num_samples` evenly spaced query blocks, or all scored ones if there are fewer. q, k [S, A, D]
/// on any device.
TrueMass sample_true_mass(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid,
                          int64_t num_samples);

/// Both at once.
at::Tensor true_recall(const at::Tensor& q, const at::Tensor& k, const at::Tensor& mask,
                       const BlockGrid& grid, int64_t num_samples);

}  // namespace reel::attention
