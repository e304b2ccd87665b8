// XAttention by LibTorch operators, for any device: correct first, with memory bounded by chunks.
// Letters (docs/SHAPES.md): S joint tokens, A heads, D head dim, n blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "attention/attend_result.h"
#include "attention/block_plan.h"

namespace reel::attention {

/// As score_blocks_cpu: q, k [S, A, D] -> [A, n, n] fp32 on their device, n = grid.num_scored()
/// here. Scores are summed and kept in fp32. Does not synchronise.
at::Tensor score_blocks_torch(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid);

/// As select_blocks, on the device of `block_mass` [A, m, m] fp32: returns the mask [A, n, n] bool
/// over all n blocks. Does not synchronise.
at::Tensor select_blocks_torch(const at::Tensor& block_mass, std::span<const double> taus,
                               const BlockGrid& grid, const Protection& protection);

/// For every scored query block the m scored blocks' indices, nearest first, the lower one of two
/// equally near: [m, m] int64.
at::Tensor indices_by_distance(int64_t num_scored, at::Device device);

/// Blocks that scored rows see anyway, and all of what unscored rows see: [n, n] bool.
at::Tensor forced_blocks(const BlockGrid& grid, const Protection& protection, at::Device device);

/// As attend_blocks_cpu, with a mask [A, n, n] bool on the device of q, k, v [S, A, D]. Waits once,
/// for the number of blocks in each row.
AttendResult attend_blocks_torch(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 const at::Tensor& mask, const BlockGrid& grid);

}  // namespace reel::attention
