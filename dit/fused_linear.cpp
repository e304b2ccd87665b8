#include "dit/fused_linear.h"

#include <ATen/ops/gelu.h>

#include "dit/elementwise.h"
#include "dit/elementwise_cpu.h"

namespace reel::dit {

void linear_gelu(const Linear& linear, const at::Tensor& x, at::Tensor out) {
  if (cpu::supports(out)) {
    linear.product_into(x, out);
    cpu::bias_gelu_(out, linear.bias());
    return;
  }
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
