#include "pipeline/gpu_facts.h"

#include <ATen/Context.h>

#include <fstream>
#include <sstream>

#if REEL_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>
#endif

namespace reel::pipeline {
namespace {

#if REEL_CUDA
// The first word that starts with a digit and has a dot in "NVRM version: NVIDIA UNIX x86_64 Kernel
// Module  580.159.04  <build date>".
std::string kernel_module_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  std::getline(file, line);
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    if (word[0] >= '0' && word[0] <= '9' && word.find('.') != std::string::npos) return word;
  }
  return {};
}

// 91501 -> "9.15.1"
std::string cudnn_version(int64_t number) {
  std::ostringstream text;
  text << number / 10000 << '.' << number / 100 % 100 << '.' << number % 100;
  return text.str();
}
#endif

}  // namespace

std::vector<GpuFacts> gpu_facts() {
  std::vector<GpuFacts> facts;
#if REEL_CUDA
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) return facts;
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, device) != cudaSuccess) continue;
    const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device));
    size_t free = 0;
    size_t total = 0;
    if (cudaMemGetInfo(&free, &total) != cudaSuccess) continue;
    facts.push_back({properties.name, properties.major, properties.minor,
                     static_cast<int64_t>(total), static_cast<int64_t>(free)});
  }
#endif
  return facts;
}

GpuLibraries gpu_libraries() {
  GpuLibraries libraries;
#if REEL_CUDA
  libraries.driver = kernel_module_version();
  int version = 0;
  if (cudaRuntimeGetVersion(&version) == cudaSuccess) {
    libraries.cuda_runtime =
        std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
  }
  if (at::detail::getCUDAHooks().hasCuDNN()) {
    libraries.cudnn = cudnn_version(at::detail::getCUDAHooks().versionCuDNN());
  }
#endif
  return libraries;
}

std::string why_no_gpu() {
#if REEL_CUDA
  if (kernel_module_version().empty()) return "no NVIDIA driver is loaded";
  int count = 0;
  const auto status = cudaGetDeviceCount(&count);
  return status == cudaSuccess ? "no device is visible" : cudaGetErrorString(status);
#else
  return "built without CUDA";
#endif
}

}  // namespace reel::pipeline
