#include "dit/timestep_embedding.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>

#include <cmath>

#include "core/tensor_check.h"

namespace reel::dit {

at::Tensor sinusoid(const at::Tensor& x) {
  check_tensor("sinusoid", x, "x", {{'B', kAny}}, at::kFloat);
  constexpr int64_t kHalf = kTimestepFeatures / 2;
  // This order of fp32 operations is part of the contract: arguments reach 6000, so that another
  // rounding of a frequency moves the result by 4e-5.
  const at::Tensor exponent = at::arange(kHalf, x.options()) * -std::log(10000.0) / kHalf;
  const at::Tensor angle = x.unsqueeze(1) * exponent.exp().unsqueeze(0);
  return at::cat({angle.cos(), angle.sin()}, 1);
}

double guidance_input(double guidance, at::ScalarType dtype) {
  return (at::full({}, guidance, at::TensorOptions().dtype(dtype)) * 1000.0).item<double>();
}

}  // namespace reel::dit
