// A matrix product and what is done to its result. Where the device has no such kernel of its own
// (fp32 on the CPU), the bias is added in the pass over the result that is needed anyway.
// Shape letters (docs/SHAPES.md): M model width; R any rows.
#pragma once

#include <ATen/core/Tensor.h>

#include "dit/linear.h"

namespace reel::dit {

/// out = gelu(linear(x)) with the tanh approximation. x [R, in], out [R, out] with contiguous rows.
void linear_gelu(const Linear& linear, const at::Tensor& x, at::Tensor out);

/// tokens += gate * linear(x). x [R, in], gate [M], tokens [R, M]; `scratch` [R, M] is overwritten.
void add_gated_linear(const Linear& linear, const at::Tensor& x, const at::Tensor& gate,
                      at::Tensor scratch, at::Tensor tokens);

}  // namespace reel::dit
