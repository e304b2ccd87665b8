// How much of the true attention the selected blocks hold, on a sample of query blocks.
// Letters (docs/SHAPES.md): S joint tokens, A heads, D head dim, n blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "attention/block_plan.h"

namespace reel::attention {

/// Mean over the tokens of `num_samples` evenly spaced query blocks of each head, or of all scored
/// ones if there are fewer: [A] fp32 on the
/// CPU. q, k [S, A, D] on any device, mask [A, n, n] bool there.
at::Tensor true_recall(const at::Tensor& q, const at::Tensor& k, const at::Tensor& mask,
                       const BlockGrid& grid, int64_t num_samples);

}  // namespace reel::attention
