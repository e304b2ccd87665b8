// Which of two equal implementations the layers run.
#pragma once

namespace reel::vae {

enum class Backend {
  kBest,      ///< fused loops for fp32 on a CPU, LibTorch's operators elsewhere
  kLibTorch,  ///< LibTorch's operators everywhere: slow and obvious, the oracle of the loops
};

}  // namespace reel::vae
