#include "dit/fused_linear.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/mul.h>

#include "dit/elementwise.h"
#include "dit/elementwise_cpu.h"

#if REEL_CUDA
#include "dit/elementwise_gpu.h"
#include "dit/gpu_product.h"
#endif

namespace reel::dit {

#if REEL_CUDA
namespace {

// A gate that scales the rows of the weight spares a pass over tokens and update, where there are
// more tokens than the weight has columns. Not in fp16, whose range a small gate could leave.
bool folds_gate(const Linear& linear, const at::Tensor& x, const at::Tensor& gate,
                const at::Tensor& tokens) {
  return tokens.scalar_type() == at::kBFloat16 && gate.scalar_type() == at::kBFloat16 &&
         x.size(0) > x.size(1) && gpu::fits_product(x, linear.weight(), linear.bias(), tokens);
}

}  // namespace
#endif

void linear_gelu(const Linear& linear, const at::Tensor& x, at::Tensor out) {
  if (cpu::supports(out)) {
    linear.product_into(x, out);
    cpu::bias_gelu_(out, linear.bias());
    return;
  }
#if REEL_CUDA
  if (gpu::fits_product(x, linear.weight(), linear.bias(), out) &&
      gpu::product_gelu(x, linear.weight(), linear.bias(), out)) {
    return;
  }
  // LibTorch writes the bias into rows that lie apart in a pass of its own
  if (gpu::fits_gelu(out, linear.bias())) {
    linear.product_into(x, out);
    return gpu::bias_gelu_(out, linear.bias());
  }
#endif
  linear.into(x, out);
  at::gelu_(out, "tanh");
}

void add_gated_linear(const Linear& linear, const at::Tensor& x, const at::Tensor& gate,
                      at::Tensor scratch, at::Tensor tokens) {
  if (cpu::supports(tokens)) {
    linear.product_into(x, scratch);
    cpu::add_gated_(tokens, scratch, linear.bias(), gate);
    return;
  }
#if REEL_CUDA
  if (folds_gate(linear, x, gate, tokens)) {
    const at::Tensor weight = linear.weight() * gate.unsqueeze(1);
    if (gpu::add_product_(tokens, x, weight, linear.bias() * gate)) return;
  }
#endif
  linear.into(x, scratch);
  add_gated_(tokens, scratch, gate);
}

}  // namespace reel::dit
