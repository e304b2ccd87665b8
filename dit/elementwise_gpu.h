// The element-wise work of elementwise.h on a GPU, one kernel each instead of a dozen operators
// with fp32 tensors between them.
// Letters (docs/SHAPES.md): S tokens, A heads, D head dim, M model width; R any rows.
#pragma once

#include <ATen/core/Tensor.h>

#include "dit/rope.h"

namespace reel::dit::gpu {

/// True if layer_norm_modulate takes these: bf16 or fp16 on a GPU of compute capability 8.0 or
/// later, M a multiple of 8 up to 4096, rows aligned to 16 bytes.
bool fits_rows(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
               const at::Tensor& out);

/// True if qk_norm_rope_ takes x [S, A, D]: the same dtypes and GPUs, D 64 or 128, heads contiguous
/// and aligned to 8 bytes.
bool fits_heads(const at::Tensor& x, const at::Tensor& weight);

/// True if bias_gelu_ takes x [R, columns]: columns a multiple of 8, otherwise as fits_rows.
bool fits_gelu(const at::Tensor& x, const at::Tensor& bias);

/// x = gelu(x + bias [columns]) with the tanh approximation.
void bias_gelu_(const at::Tensor& x, const at::Tensor& bias);

/// As in elementwise.h, for tensors that fit. Throws DeviceError if the launch fails.
void layer_norm_modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         const at::Tensor& out);

/// As qk_norm_rope_ in elementwise.h, or qk_norm_ if `rope` is null.
void qk_norm_rope_(const at::Tensor& x, const at::Tensor& weight, const Rope* rope);

/// The same for queries and keys of equal sizes and strides in one launch, which reads the angles
/// once.
void qk_norms_rope_(const at::Tensor& q, const at::Tensor& k, const at::Tensor& q_weight,
                    const at::Tensor& k_weight, const Rope* rope);

}  // namespace reel::dit::gpu
