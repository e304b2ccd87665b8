// Element-wise work in fp32 on the CPU: one pass over memory each, where LibTorch's operators take
// three to eight. Contracts and plain versions: dit/elementwise.h.
#pragma once

#include <ATen/core/Tensor.h>

#include "dit/rope.h"

namespace reel::dit::cpu {

void layer_norm_modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         at::Tensor& out);

void add_gated_(at::Tensor& x, const at::Tensor& y, const at::Tensor& gate);

/// `rope` may be null: no token is rotated then.
void qk_norm_rope_(at::Tensor& x, const at::Tensor& weight, const Rope* rope);

}  // namespace reel::dit::cpu
