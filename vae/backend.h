// Which of the equal implementations the layers run.
#pragma once

namespace reel::vae {

enum class Backend {
  kBest,      ///< fused loops for fp32 on a CPU, fused kernels for fp16 and bf16 on a GPU
  kUnfolded,  ///< the same, but a GPU up-samples before it convolves: to compare with
  kLibTorch,  ///< LibTorch's operators everywhere: slow and obvious, the oracle of the others
};

}  // namespace reel::vae
