// Random numbers that equal PyTorch's for the same seed.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>

namespace reel {

/// A stream of standard normal fp32 CPU tensors, each equal to what Python's
/// torch.randn(shape, generator=torch.Generator().manual_seed(seed)) gives in the same order.
class NormalStream {
 public:
  explicit NormalStream(uint64_t seed);

  /// Draws the next contiguous fp32 CPU tensor of `shape`.
  at::Tensor next(at::IntArrayRef shape);

 private:
  at::Generator generator_;
};

}  // namespace reel
