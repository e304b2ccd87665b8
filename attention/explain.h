// XAttention with everything it decided laid open: `probe xattn` (spec/cli-and-vbench.md 2.2).
// Letters (docs/SHAPES.md): B batch, S joint tokens, A heads, D head dim, n blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include "attention/block_plan.h"
#include "attention/schedule.h"

namespace reel::attention {

struct ExplainOptions {
  SparseSettings settings;
  int64_t text_length = 0;  ///< L, the last tokens
  bool causal = false;
  Protection protection;
};

struct Explanation {
  at::Tensor mask;        ///< [B, A, n, n] uint8: row = query block, column = key block
  at::Tensor block_mass;  ///< [B, A, n, n] fp32: share of the row's scored mass, 0 where unscored
  at::Tensor out;         ///< [B, S, A, D] dtype of q
  at::Tensor lse;         ///< [B, A, S] fp32, natural log
};

/// Runs the code of the sparse calls on q, k, v [B, S, A, D] of one dtype and device; results are
/// on the CPU. Throws ConfigError if text_length is outside 0..S.
Explanation explain(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const ExplainOptions& options);

}  // namespace reel::attention
