// What the blocks of one forward pass share: inputs that stay the same, and memory to work in.
// Shape letters (docs/SHAPES.md): N image tokens, L text tokens, S = N + L, A heads, D head dim,
// M model width.
#pragma once

#include <ATen/core/Tensor.h>

#include "attention/attention.h"
#include "dit/config.h"
#include "dit/rope.h"

namespace reel::dit {

/// What stays the same over the blocks of one forward pass of one sample.
struct BlockContext {
  at::Tensor activated;  ///< [1, M], silu of the conditioning vector
  Rope rope;             ///< of the N image tokens
  int64_t text_length;   ///< L
  attention::StepAttention attention;
};

/// Buffers that every block overwrites, so that none has to ask for fresh memory.
struct Workspace {
  Workspace(const Config& config, int64_t num_tokens, const at::TensorOptions& options);

  at::Tensor normed;  ///< [S, M] inputs of a matrix product, or outputs on their way to the tokens
  /// [S, 3, A, D]: a product writes it, norms and rotation change q and k in place, and attention
  /// reads q, k and v from it as views with tokens 3 M and heads D elements apart. Nothing copies,
  /// casts or transposes them on the way; Hopper's kernels take these strides as they are.
  at::Tensor qkv;
  /// [S, M + MLP]: what a single block's second product reads. Double blocks use the MLP columns.
  at::Tensor wide;
};

/// Joint attention over workspace.qkv, written to the first M columns of workspace.wide, where a
/// single block's second product reads it. Returns those, [S, M].
at::Tensor attend(const Workspace& workspace, const BlockContext& context, int64_t layer);

}  // namespace reel::dit
