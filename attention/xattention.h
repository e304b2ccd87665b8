// One sparse attention call on any device: score, select, attend.
// Letters (docs/SHAPES.md): S joint tokens, A heads, D head dim, n blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "attention/block_plan.h"
#include "attention/gpu_kernels.h"
#include "attention/schedule.h"
#include "attention/selection.h"
#include "attention/statistics.h"

namespace reel::attention {

/// What one call does with heads that share stride and block.
struct SparseCall {
  BlockGrid grid;
  SparseRule rule = SparseRule::kXAttention;
  std::vector<double> taus;  ///< one a head
  Protection protection;
  Selection selection;     ///< of kXAttention
  at::Tensor given_mask;   ///< [A, n, n]: attend to these instead; undefined: none
  bool keep_plan = false;  ///< fill block_mass and mask; on a GPU that waits for them
  GpuKernels kernels = GpuKernels::kAuto;
  at::Tensor out = {};  ///< [S, A, D] for the result, D contiguous; undefined: a new tensor
};

/// What it found.
struct SparseResult {
  at::Tensor out;                     ///< [S, A, D], the call's or new and contiguous
  at::Tensor lse;                     ///< [A, S] fp32, natural log
  HeadDensity density;                ///< selected blocks / all blocks of each head
  std::vector<StageBorders> borders;  ///< of parts of the call, one after the other
  at::Tensor block_mass;  ///< [A, m, m] fp32, m scored blocks (the rule's own for kReference)
  at::Tensor mask;        ///< [A, n, n] uint8 on the CPU: the blocks attended to
};

/// Runs one batch item: q, k, v [S, A, D] of one dtype and device, last dimension contiguous. On a
/// GPU our kernels run where they fit (gpu_kernels.h) and nothing waits, except that scoring or
/// selecting by other rules than antidiagonal or permuted phases with tau is LibTorch's work;
/// LibTorch's operators wait once more, for the selected blocks. Throws ShapeError if a given mask
/// does not fit.
SparseResult run_sparse_call(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const SparseCall& call);

/// Scores and selects as run_sparse_call does: [A, n, n] bool on the device of q. A given mask is
/// ignored.
at::Tensor select_mask(const at::Tensor& q, const at::Tensor& k, const SparseCall& call);

/// The same for each of `taus` instead of the call's own, every head alike; scores once.
std::vector<at::Tensor> select_masks(const at::Tensor& q, const at::Tensor& k,
                                     const SparseCall& call, std::span<const double> taus);

}  // namespace reel::attention
