// Scores of attention/kernels/score.h by LibTorch's operators in double precision, on any device.
// Letters (docs/SHAPES.md): S joint tokens, A heads, D head dim.
#pragma once

#include <ATen/core/Tensor.h>

#include "attention/block_plan.h"

namespace reel::attention::testing {

/// Log2-sum-exp over each scored key block of the strided logits of the query blocks
/// [first_query, first_query + num_queries): q, k [S, A, D] -> [A, rows, m] double.
at::Tensor reference_scores(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid,
                            int64_t first_query, int64_t num_queries);

/// Share of each scored block in its query block's mass: scores [A, rows, m] -> [A, queries, m].
at::Tensor reference_mass(const at::Tensor& scores, const BlockGrid& grid);

}  // namespace reel::attention::testing
