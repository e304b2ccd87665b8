// Matrix products on a GPU that do more before they write than LibTorch's operators ask for: an
// activation into rows that lie apart, or the sum with what the output holds.
// Letters (docs/SHAPES.md): R any rows.
#pragma once

#include <ATen/core/Tensor.h>

namespace reel::dit::gpu {

/// True if the products below take x [R, in], weight [out, in], bias [out] and out [R, out]: bf16
/// or fp16 on a GPU of compute capability 8.0 or later, both sizes multiples of 8, rows aligned to
/// 16 bytes, and LibTorch's cuBLASLt there to ask.
bool fits_product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  const at::Tensor& out);

/// out = gelu(x weight^T + bias) with the tanh approximation, summed in fp32 and rounded once.
/// False, and nothing written, if cuBLASLt knows no algorithm. Throws DeviceError if a launch
/// fails.
bool product_gelu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  const at::Tensor& out);

/// out += x weight^T + bias, likewise.
bool add_product_(const at::Tensor& out, const at::Tensor& x, const at::Tensor& weight,
                  const at::Tensor& bias);

}  // namespace reel::dit::gpu
