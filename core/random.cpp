#include "core/random.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>

namespace reel {

NormalStream::NormalStream(uint64_t seed) : generator_(at::detail::createCPUGenerator(seed)) {}

at::Tensor NormalStream::next(at::IntArrayRef shape) {
  return at::randn(shape, generator_, at::TensorOptions().dtype(at::kFloat));
}

}  // namespace reel
