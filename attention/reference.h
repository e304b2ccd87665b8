// The published rule with its accidents, for comparison (spec/xattention.md 1.1, 1.2, 1.7): tokens
// are padded by zeros to whole chunks, padded keys take part in the softmax and in the selection,
// key block 0 is always selected, text is treated like any token. Here in fp32, ties by index.
// Letters (docs/SHAPES.md): S joint tokens, A heads, D head dim, n blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "attention/block_plan.h"

namespace reel::attention {

/// Tokens a chunk has for a sequence of `num_tokens`.
int64_t reference_chunk_size(int64_t num_tokens);

/// Block sums of the strided softmax: q, k [S, A, D] -> [A, p, p] fp32 on their device, p blocks of
/// the padded sequence; a row sums to its number of true strided rows. Does not synchronise.
at::Tensor score_blocks_reference(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid);

/// Takes blocks, most massive first, while the sum of those before is below tau of the row's sum,
/// then block 0; what lies beyond S is cut off. `block_sums` [A, p, p], `taus` one a head.
/// Returns [A, n, n] bool on its device. Does not synchronise.
at::Tensor select_blocks_reference(const at::Tensor& block_sums, std::span<const double> taus,
                                   const BlockGrid& grid);

}  // namespace reel::attention
