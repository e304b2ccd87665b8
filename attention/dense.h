// Dense attention: every query sees every key, or every earlier one.
#pragma once

#include <ATen/core/Tensor.h>

#include "attention/gpu_kernels.h"

namespace reel::attention {

/// softmax(q k^T / sqrt(D)) v with the device's best dense kernel (gpu_kernels.h).
/// q [B, S_q, A, D], k and v [B, S_k, A_kv, D] where A_kv divides A (grouped queries: head a uses
/// key head a / (A / A_kv)); one dtype and device; the last dimension contiguous, other strides
/// any. `causal`: query i sees keys 0..i (needs S_q == S_k). Returns [B, S_q, A, D], contiguous, or
/// writes it to `out` of any strides, unless that is undefined, and returns it.
at::Tensor dense_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           bool causal = false, GpuKernels kernels = GpuKernels::kAuto,
                           const at::Tensor& out = {});

}  // namespace reel::attention
