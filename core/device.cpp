#include "core/device.h"

#include <ATen/Context.h>
#include <sched.h>

#include <algorithm>
#include <charconv>

#include "core/error.h"

#if REEL_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <cuda_runtime_api.h>
#endif

namespace reel {

bool has_gpu() {
#if REEL_CUDA
  return c10::cuda::device_count() > 0;
#else
  return false;
#endif
}

at::Device parse_device(const std::string& text) {
  if (text == "cpu") return at::Device(at::kCPU);
  if (text == "auto") return has_gpu() ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  const std::string prefix = "cuda:";
  int index = 0;
  if (text.starts_with(prefix)) {
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + prefix.size(), end, index);
    if (parsed.ec != std::errc() || parsed.ptr != end || index < 0) {
      fail<ConfigError>("--device: not a GPU number: got ", text, ", want cuda:0, cuda:1, ...");
    }
  } else if (text != "cuda") {
    fail<ConfigError>("--device: unknown device: got ", text, ", want auto, cpu, cuda or cuda:N");
  }
#if REEL_CUDA
  const int count = c10::cuda::device_count();
  if (index < count) return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
  fail<ConfigError>("--device: no such GPU: got ", text, ", want one of ", count, " GPUs");
#else
  fail<ConfigError>("--device: this program was built without CUDA: got ", text,
                    ", want cpu; install a CUDA 13 toolkit and build again for GPUs");
#endif
}

at::ScalarType parse_dtype(const std::string& text) {
  if (text == "fp32") return at::kFloat;
  if (text == "bf16") return at::kBFloat16;
  if (text == "fp16") return at::kHalf;
  fail<ConfigError>("--dtype: unknown number format: got ", text, ", want fp32, bf16 or fp16");
}

std::string dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "fp32";
    case at::kBFloat16:
      return "bf16";
    case at::kHalf:
      return "fp16";
    default:
      return c10::toString(dtype);
  }
}

int compute_capability_major([[maybe_unused]] at::Device device) {
#if REEL_CUDA
  int major = 0;
  if (device.is_cuda() && cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor,
                                                 device.index()) == cudaSuccess) {
    return major;
  }
#endif
  return 0;
}

int num_usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

void synchronize([[maybe_unused]] at::Device device) {
#if REEL_CUDA
  if (device.is_cuda()) c10::cuda::device_synchronize();
#endif
}

void release_freed_memory([[maybe_unused]] at::Device device) {
#if REEL_CUDA
  if (device.is_cuda()) c10::cuda::CUDACachingAllocator::emptyCache();
#endif
}

}  // namespace reel
