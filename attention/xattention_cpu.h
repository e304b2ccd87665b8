// XAttention on a CPU: skips the blocks that were not selected. fp32 inside, any float dtype
// outside. Every query block is a task of its own, so results do not depend on the number of
// threads. Letters (docs/SHAPES.md): S joint tokens, A heads, D head dim, n blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include "attention/attend_result.h"
#include "attention/block_plan.h"
#include "attention/cpu_kernels.h"

namespace reel::attention {

/// Mass of every scored key block in every scored query block's row: the strided antidiagonal
/// scores of q, k [S, A, D] (last dimension contiguous) go through a softmax over the strided
/// columns of scored blocks, and the shares of a block's rows and columns are averaged and added.
/// Returns [A, n, n] fp32 with n = grid.num_scored() here; each row sums to 1.
at::Tensor score_blocks_cpu(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid,
                            const CpuKernels& kernels = best_cpu_kernels());

/// softmax(q k^T / sqrt(D)) v over the listed blocks alone; q, k, v [S, A, D] of one dtype, last
/// dimension contiguous. A query block with an empty list gives 0 and lse = -inf.
AttendResult attend_blocks_cpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                               const BlockLists& lists, const BlockGrid& grid,
                               const CpuKernels& kernels = best_cpu_kernels());

}  // namespace reel::attention
