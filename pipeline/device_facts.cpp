#include "pipeline/device_facts.h"

#include <fstream>
#include <limits>
#include <string>

#include "core/device.h"
#include "core/error.h"
#include "core/sha256.h"
#include "pipeline/gpu_facts.h"

#if REEL_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>
#endif

namespace reel::pipeline {
namespace {

// MemAvailable: what the kernel can give without swapping, page cache included.
int64_t available_host_bytes() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("MemAvailable:")) return std::stoll(line.substr(13)) * 1024;
  }
  return std::numeric_limits<int64_t>::max();  // unknown: nothing is refused
}

#if REEL_CUDA
std::string gpu_name(at::Device device) {
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, device.index()) != cudaSuccess) return "cuda";
  return properties.name;
}
#endif

}  // namespace

std::string tokenizers_sha256(const weights::ModelFolder& folder) {
  std::string sums;
  for (const auto& file : {folder.tokenizer / "tokenizer.json", folder.tokenizer_2 / "vocab.json",
                           folder.tokenizer_2 / "merges.txt"}) {
    std::ifstream stream(file, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(stream), {});
    if (!stream.is_open() || stream.bad()) {
      fail<WeightError>(file.string(), ": cannot be read");
    }
    sums += sha256(bytes);
  }
  return sha256(sums);
}

RunIdentity identify(const ComputeChoice& compute, const weights::ModelFolder& folder) {
  RunIdentity identity;
  identity.model_name = folder.name;
  identity.model_layout = weights::layout_name(folder.layout);
  for (const auto* part :
       {&folder.transformer, &folder.vae, &folder.text_encoder, &folder.text_encoder_2}) {
    const auto files = weights::identities(folder, weights::open_part(*part));
    identity.model_files.insert(identity.model_files.end(), files.begin(), files.end());
  }
  identity.device_name = "cpu";
#if REEL_CUDA
  if (compute.device.is_cuda()) {
    identity.device_name = gpu_name(compute.device);
    identity.driver = gpu_libraries().driver;
  }
#endif
  identity.dtype = dtype_name(compute.dtype);
  identity.vae_dtype = dtype_name(compute.vae_dtype);
  identity.threads = compute.threads;
  identity.offload = offload_name(compute.offload);
  identity.tokenizers_sha256 = tokenizers_sha256(folder);
  return identity;
}

int64_t free_bytes([[maybe_unused]] at::Device device) {
#if REEL_CUDA
  if (device.is_cuda()) {
    const c10::cuda::CUDAGuard guard(device);
    size_t free = 0;
    size_t total = 0;
    if (cudaMemGetInfo(&free, &total) == cudaSuccess) return static_cast<int64_t>(free);
  }
#endif
  return available_host_bytes();
}

}  // namespace reel::pipeline
