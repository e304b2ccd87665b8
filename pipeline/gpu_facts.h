// The GPUs of this machine and the libraries that drive them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace reel::pipeline {

struct GpuFacts {
  std::string name;
  int compute_major = 0, compute_minor = 0;  ///< compute capability
  int64_t total_bytes = 0, free_bytes = 0;
};

struct GpuLibraries {
  std::string driver;        ///< the kernel module's version; empty if there is none
  std::string cuda_runtime;  ///< "13.0"
  std::string cudnn;         ///< "9.15.1"; empty if LibTorch has none
};

/// All GPUs that this build can use; none without a driver, a device, or CUDA.
std::vector<GpuFacts> gpu_facts();

/// Of this build and machine.
GpuLibraries gpu_libraries();

/// Why gpu_facts() is empty, for people: "built without CUDA", "no NVIDIA driver is loaded", or
/// what CUDA says.
std::string why_no_gpu();

}  // namespace reel::pipeline
