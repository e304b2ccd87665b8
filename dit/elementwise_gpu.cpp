#include "dit/elementwise_gpu.h"

#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "core/device.h"
#include "core/error.h"
#include "dit/elementwise.h"
#include "dit/kernels/elementwise.h"

namespace reel::dit::gpu {
namespace {

constexpr uintptr_t kRowAlignment = 16;
constexpr uintptr_t kHeadAlignment = 8;
constexpr uintptr_t kElementBytes = 2;

bool is_aligned(const at::Tensor& x, uintptr_t bytes) {
  if (reinterpret_cast<uintptr_t>(x.const_data_ptr()) % bytes != 0) return false;
  for (int64_t dim = 0; dim + 1 < x.dim(); ++dim) {
    if (x.size(dim) > 1 && static_cast<uintptr_t>(x.stride(dim)) * kElementBytes % bytes != 0) {
      return false;
    }
  }
  return x.size(-1) == 1 || x.stride(-1) == 1;
}

bool has_kernels(const at::Tensor& x) {
  if (!x.is_cuda()) return false;
  if (x.scalar_type() != at::kBFloat16 && x.scalar_type() != at::kHalf) return false;
  return compute_capability_major(x.device()) >= 8;
}

kernels::Dtype dtype_of(const at::Tensor& x) {
  return x.scalar_type() == at::kHalf ? kernels::Dtype::kFp16 : kernels::Dtype::kBf16;
}

cudaStream_t stream_of(const at::Tensor& x) {
  return c10::cuda::getCurrentCUDAStream(x.device().index()).stream();
}

void check_launch(std::string_view where, cudaError_t status) {
  if (status == cudaSuccess) return;
  fail<DeviceError>(where, ": launch failed: ", cudaGetErrorString(status));
}

}  // namespace

bool fits_rows(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
               const at::Tensor& out) {
  if (!has_kernels(x) || x.dim() != 2 || x.size(1) % 8 != 0 || x.size(1) > kernels::kMaxWidth) {
    return false;
  }
  for (const at::Tensor& other : {x, shift, scale, out}) {
    if (other.scalar_type() != x.scalar_type() || other.device() != x.device() ||
        !is_aligned(other, kRowAlignment)) {
      return false;
    }
  }
  return true;
}

bool fits_heads(const at::Tensor& x, const at::Tensor& weight) {
  return has_kernels(x) && x.dim() == 3 && (x.size(2) == 64 || x.size(2) == 128) &&
         weight.scalar_type() == x.scalar_type() && weight.device() == x.device() &&
         is_aligned(x, kHeadAlignment) && is_aligned(weight, kHeadAlignment);
}

bool fits_gelu(const at::Tensor& x, const at::Tensor& bias) {
  return has_kernels(x) && x.dim() == 2 && x.size(1) % 8 == 0 &&
         bias.scalar_type() == x.scalar_type() && bias.device() == x.device() &&
         is_aligned(x, kRowAlignment) && is_aligned(bias, kRowAlignment);
}

void bias_gelu_(const at::Tensor& x, const at::Tensor& bias) {
  const kernels::BiasGeluParams params = {.x = x.data_ptr(),
                                          .stride = x.stride(0),
                                          .bias = bias.const_data_ptr(),
                                          .num_rows = x.size(0),
                                          .num_columns = static_cast<int32_t>(x.size(1)),
                                          .dtype = dtype_of(x)};
  const c10::cuda::CUDAGuard guard(x.device());
  check_launch("bias_gelu", kernels::launch_bias_gelu(params, stream_of(x)));
}

void layer_norm_modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         const at::Tensor& out) {
  const kernels::LayerNormParams params = {.x = x.const_data_ptr(),
                                           .out = out.data_ptr(),
                                           .x_stride = x.stride(0),
                                           .out_stride = out.stride(0),
                                           .shift = shift.const_data_ptr(),
                                           .scale = scale.const_data_ptr(),
                                           .num_rows = x.size(0),
                                           .width = static_cast<int32_t>(x.size(1)),
                                           .epsilon = static_cast<float>(kNormEpsilon),
                                           .dtype = dtype_of(x)};
  const c10::cuda::CUDAGuard guard(x.device());
  check_launch("layer_norm_modulate", kernels::launch_layer_norm_modulate(params, stream_of(x)));
}

namespace {

// `k` may be undefined.
void launch_head_norms(const at::Tensor& x, const at::Tensor& k, const at::Tensor& weight,
                       const at::Tensor& k_weight, const Rope* rope) {
  const kernels::HeadNormParams params = {
      .x = {x.data_ptr(), k.defined() ? k.data_ptr() : nullptr},
      .token_stride = x.stride(0),
      .head_stride = x.stride(1),
      .weight = {weight.const_data_ptr(), k.defined() ? k_weight.const_data_ptr() : nullptr},
      .cos = rope == nullptr ? nullptr : rope->cos.const_data_ptr<float>(),
      .sin = rope == nullptr ? nullptr : rope->sin.const_data_ptr<float>(),
      .num_tokens = x.size(0),
      .num_rotated = rope == nullptr ? 0 : rope->num_tokens(),
      .num_heads = static_cast<int32_t>(x.size(1)),
      .head_dim = static_cast<int32_t>(x.size(2)),
      .epsilon = static_cast<float>(kNormEpsilon),
      .dtype = dtype_of(x)};
  const c10::cuda::CUDAGuard guard(x.device());
  check_launch("qk_norm_rope", kernels::launch_head_norm_rope(params, stream_of(x)));
}

}  // namespace

void qk_norm_rope_(const at::Tensor& x, const at::Tensor& weight, const Rope* rope) {
  launch_head_norms(x, {}, weight, {}, rope);
}

void qk_norms_rope_(const at::Tensor& q, const at::Tensor& k, const at::Tensor& q_weight,
                    const at::Tensor& k_weight, const Rope* rope) {
  launch_head_norms(q, k, q_weight, k_weight, rope);
}

}  // namespace reel::dit::gpu
