#include "dit/elementwise.h"

#include <ATen/ops/layer_norm.h>
#include <ATen/ops/stack.h>

#include "dit/elementwise_cpu.h"

#if REEL_CUDA
#include "dit/elementwise_gpu.h"
#endif

namespace reel::dit {

void layer_norm_modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         at::Tensor out) {
  if (cpu::supports(x)) return cpu::layer_norm_modulate(x, shift, scale, out);
#if REEL_CUDA
  if (gpu::fits_rows(x, shift, scale, out)) return gpu::layer_norm_modulate(x, shift, scale, out);
#endif
  plain::layer_norm_modulate(x, shift, scale, std::move(out));
}

void add_gated_(at::Tensor x, const at::Tensor& y, const at::Tensor& gate) {
  if (cpu::supports(x)) return cpu::add_gated_(x, y, {}, gate);
  plain::add_gated_(std::move(x), y, gate);
}

void qk_norm_(at::Tensor x, const at::Tensor& weight) {
  if (cpu::supports(x)) return cpu::qk_norm_rope_(x, weight, nullptr);
#if REEL_CUDA
  if (gpu::fits_heads(x, weight)) return gpu::qk_norm_rope_(x, weight, nullptr);
#endif
  plain::qk_norm_(std::move(x), weight);
}

void qk_norm_rope_(at::Tensor x, const at::Tensor& weight, const Rope& rope) {
  if (cpu::supports(x)) return cpu::qk_norm_rope_(x, weight, &rope);
#if REEL_CUDA
  if (gpu::fits_heads(x, weight)) return gpu::qk_norm_rope_(x, weight, &rope);
#endif
  plain::qk_norm_rope_(std::move(x), weight, rope);
}

void qk_norms_rope_(at::Tensor qkv, const at::Tensor& q_weight, const at::Tensor& k_weight,
                    const Rope* rope) {
  const at::Tensor q = qkv.select(1, 0);
  const at::Tensor k = qkv.select(1, 1);
#if REEL_CUDA
  if (gpu::fits_heads(q, q_weight) && gpu::fits_heads(k, k_weight)) {
    return gpu::qk_norms_rope_(q, k, q_weight, k_weight, rope);
  }
#endif
  if (rope != nullptr) {
    qk_norm_rope_(q, q_weight, *rope);
    qk_norm_rope_(k, k_weight, *rope);
  } else {
    qk_norm_(q, q_weight);
    qk_norm_(k, k_weight);
  }
}

namespace plain {
namespace {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scale = wide.square().mean(-1, /*keepdim=*/true).add_(kNormEpsilon).rsqrt_();
  return wide * scale * weight.to(at::kFloat);
}

// x [N, A, D] fp32.
at::Tensor rotate(const at::Tensor& x, const Rope& rope) {
  const at::Tensor cos = rope.cos.unsqueeze(1);  // [N, 1, D / 2], the same for every head
  const at::Tensor sin = rope.sin.unsqueeze(1);
  const at::Tensor pairs = x.unflatten(-1, {-1, 2});
  const at::Tensor even = pairs.select(-1, 0);
  const at::Tensor odd = pairs.select(-1, 1);
  return at::stack({even * cos - odd * sin, odd * cos + even * sin}, -1).flatten(-2);
}

}  // namespace

void layer_norm_modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         at::Tensor out) {
  const at::Tensor normed = at::layer_norm(x.to(at::kFloat), {x.size(-1)}, {}, {}, kNormEpsilon);
  out.copy_(normed * (scale.to(at::kFloat) + 1) + shift.to(at::kFloat));
}

void add_gated_(at::Tensor x, const at::Tensor& y, const at::Tensor& gate) {
  x.addcmul_(y, gate);
}

void qk_norm_(at::Tensor x, const at::Tensor& weight) {
  x.copy_(rms_norm(x, weight));
}

void qk_norm_rope_(at::Tensor x, const at::Tensor& weight, const Rope& rope) {
  const at::Tensor normed = rms_norm(x, weight);
  const int64_t rotated = rope.num_tokens();
  const int64_t unrotated = x.size(0) - rotated;
  x.narrow(0, 0, rotated).copy_(rotate(normed.narrow(0, 0, rotated), rope));
  x.narrow(0, rotated, unrotated).copy_(normed.narrow(0, rotated, unrotated));
}

}  // namespace plain
}  // namespace reel::dit
