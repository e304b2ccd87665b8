#include "attention/dense.h"

#include <ATen/ops/scaled_dot_product_attention.h>

#include "core/tensor_check.h"

namespace reel::attention {

at::Tensor dense_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                           bool causal) {
  check_tensor("dense_attention", q, "q", {{'B', kAny}, {'S', kAny}, {'A', kAny}, {'D', kAny}});
  const bool grouped = k.size(2) != q.size(2);
  const at::Tensor out = at::scaled_dot_product_attention(
      q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), /*attn_mask=*/{}, /*dropout_p=*/0.0,
      causal, /*scale=*/std::nullopt, /*enable_gqa=*/grouped);
  return out.transpose(1, 2).contiguous();
}

}  // namespace reel::attention
