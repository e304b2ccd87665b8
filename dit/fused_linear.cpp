#include "dit/fused_linear.h"

#include <ATen/ops/gelu.h>

#include "dit/elementwise.h"
#include "dit/elementwise_cpu.h"

#if REEL_CUDA
#include "dit/elementwise_gpu.h"
#endif

namespace reel::dit {

void linear_gelu(const Linear& linear, const at::Tensor& x, at::Tensor out) {
  if (cpu::supports(out)) {
    linear.product_into(x, out);
    cpu::bias_gelu_(out, linear.bias());
    return;
  }
#if REEL_CUDA
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
  linear.into(x, scratch);
  add_gated_(tokens, scratch, gate);
}

}  // namespace reel::dit
