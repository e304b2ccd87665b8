// Where and in which number formats a run computes.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "core/problems.h"

namespace reel::pipeline {

/// What of the models waits in host memory while the GPU does not need it.
enum class Offload {
  kNone,    ///< the text encoders leave before the transformer comes; the rest stays on the GPU
  kModels,  ///< each model is on the GPU during its own stage only
  kBlocks,  ///< the transformer's blocks stay in host memory; they are copied when they are due
  kAuto     ///< the first of these that fits: settle_memory() decides
};

/// "none", "models", "blocks" or "auto".
std::string offload_name(Offload value);

/// The flags --device, --dtype, --threads, --offload and --max-vram as given.
struct ComputeOptions {
  std::string device = "auto";
  std::optional<std::string> dtype;
  std::optional<int64_t> threads;
  std::optional<std::string> offload;
  std::optional<double> max_vram = std::nullopt;  ///< in units of 1e9 bytes
};

/// A decision; never one by timing. Only `offload` may follow from free memory.
struct ComputeChoice {
  at::Device device = at::Device(at::kCPU);
  at::ScalarType dtype = at::kFloat;  ///< of the text encoders and the transformer
  at::ScalarType vae_dtype =
      at::kFloat;                    ///< fp16 on a GPU unless --dtype fp32 was given; else as dtype
  int threads = 1;                   ///< of CPU operations
  Offload offload = Offload::kNone;  ///< changes no result; kNone on a CPU
  int64_t max_vram_bytes = 0;        ///< most that the run may take of the GPU; 0: all there is
};

/// fp32 on a CPU, bf16 on a GPU, and all usable cores, unless given otherwise. Adds every problem
/// (fp16 on a CPU, a GPU that is not there, offloading without one, ...) to `problems`; nothing is
/// returned then.
std::optional<ComputeChoice> choose_compute(const ComputeOptions& options, Problems& problems);

}  // namespace reel::pipeline
