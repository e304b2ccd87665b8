#include "pipeline/memory_use.h"

#include <algorithm>

#include "core/error.h"
#include "core/torch_error.h"
#include "pipeline/device_facts.h"
#include "pipeline/memory_check.h"
#include "pipeline/run_report.h"

#if REEL_CUDA
#include <ATen/Context.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>
#endif

namespace reel::pipeline {
namespace {

#if REEL_CUDA
namespace allocator = c10::cuda::CUDACachingAllocator;

// The allocator knows no device before.
void start_cuda() {
  at::globalContext().lazyInitDevice(at::kCUDA);
}
#endif

// "encode text" and "load text encoders", "load transformer", "load vae": the plan's stages.
std::string planned_stage(const std::string& stage) {
  if (stage.find("text") != std::string::npos) return "text";
  const bool decodes = stage == "decode" || stage.find("vae") != std::string::npos;
  return decodes ? "decode" : "denoise";
}

}  // namespace

void limit_device_memory([[maybe_unused]] at::Device device, [[maybe_unused]] int64_t bytes) {
#if REEL_CUDA
  if (!device.is_cuda() || bytes <= 0) return;
  start_cuda();
  const c10::cuda::CUDAGuard guard(device);
  size_t free = 0;
  size_t total = 0;
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) return;
  const int64_t pools = std::max(bytes - kCudaBytes, bytes / 2);
  const double fraction = static_cast<double>(pools) / static_cast<double>(total);
  allocator::setMemoryFraction(std::min(fraction, 1.0), device.index());
#endif
}

void start_peak([[maybe_unused]] at::Device device) {
#if REEL_CUDA
  if (!device.is_cuda()) return;
  start_cuda();
  allocator::resetPeakStats(device.index());
#endif
}

StagePeak read_peak(const std::string& stage, [[maybe_unused]] at::Device device) {
  StagePeak peak;
  peak.stage = stage;
  peak.host_bytes = peak_host_bytes();
#if REEL_CUDA
  if (device.is_cuda()) {
    start_cuda();
    const auto stats = allocator::getDeviceStats(device.index());
    peak.tensor_bytes = stats.allocated_bytes[0].peak;
    peak.reserved_bytes = stats.reserved_bytes[0].peak;
  }
#endif
  return peak;
}

std::optional<std::string> memory_failure() {
  try {
    rethrow_as_ours();
  } catch (const OutOfMemory& problem) {
    return problem.what();
  } catch (...) {
    return std::nullopt;
  }
}

void rethrow_with_advice(const std::string& stage, const ComputeChoice& compute) {
  const auto failure = memory_failure();
  if (!failure) throw;
  fail<OutOfMemory>(stage, ": ", *failure, "; ", gigabytes_text(free_memory(compute).device),
                    " free on ", compute.device.str(), "; try ",
                    memory_advice(compute, planned_stage(stage)));
}

}  // namespace reel::pipeline
