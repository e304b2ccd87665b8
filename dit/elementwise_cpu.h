// Element-wise work in fp32 on the CPU: one pass over memory each, where LibTorch's operators take
// three to eight. Plain versions, which are also the contracts: dit/elementwise.h,
// fused_linear.cpp.
#pragma once

#include <ATen/core/Tensor.h>

#include "dit/rope.h"

namespace reel::dit::cpu {

/// True if the functions below may write `x`.
bool supports(const at::Tensor& x);

void layer_norm_modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         at::Tensor& out);

/// x += gate * (y + bias). `bias` [M] may be undefined: 0.
void add_gated_(at::Tensor& x, const at::Tensor& y, const at::Tensor& bias, const at::Tensor& gate);

/// x = gelu(x + bias) with the tanh approximation. x [R, columns] with contiguous rows.
void bias_gelu_(at::Tensor& x, const at::Tensor& bias);

/// `rope` may be null: no token is rotated then.
void qk_norm_rope_(at::Tensor& x, const at::Tensor& weight, const Rope* rope);

}  // namespace reel::dit::cpu
