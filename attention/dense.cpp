#include "attention/dense.h"

#include <ATen/ATen.h>

#include "core/tensor_check.h"

#if REEL_CUDA
#include "attention/device_attend.h"
#endif

namespace reel::attention {

at::Tensor dense_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           bool causal, [[maybe_unused]] GpuKernels kernels,
                           const at::Tensor& out) {
  check_tensor("dense_attention", q, "q", {{'B', kAny}, {'S', kAny}, {'A', kAny}, {'D', kAny}});
#if REEL_CUDA
  if (dense_runs_sm90(q, k, v, kernels)) {
    return attend_on_device(q, k, v, /*lists=*/std::nullopt, causal, kBestAttendVariant, out).out;
  }
  if (dense_runs_mma(q, k, v, kernels)) {
    return attend_on_device(q, k, v, /*lists=*/std::nullopt, causal, kBestMmaVariant, out).out;
  }
#endif
  const bool grouped = k.size(2) != q.size(2);
  const at::Tensor heads_q = q.transpose(1, 2);
  const at::Tensor heads_k = k.transpose(1, 2);
  const at::Tensor heads_v = v.transpose(1, 2);
  const at::Tensor attended =
      fits_cudnn(q, k)
          // LibTorch's own choice would be FlashAttention-2, half as fast on Hopper
          ? std::get<0>(at::_scaled_dot_product_cudnn_attention(heads_q, heads_k, heads_v,
                                                                /*attn_bias=*/{},
                                                                /*compute_log_sumexp=*/false,
                                                                /*dropout_p=*/0.0, causal))
          : at::scaled_dot_product_attention(heads_q, heads_k, heads_v, /*attn_mask=*/{},
                                             /*dropout_p=*/0.0, causal, /*scale=*/std::nullopt,
                                             /*enable_gqa=*/grouped);
  if (out.defined()) return out.copy_(attended.transpose(1, 2));
  return attended.transpose(1, 2).contiguous();
}

}  // namespace reel::attention
