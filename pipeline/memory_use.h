// What memory a run really takes, and what becomes of it when there is none left.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "pipeline/compute_choice.h"

namespace reel::pipeline {

/// The most that a stage took.
struct StagePeak {
  std::string stage;
  int64_t tensor_bytes = 0;    ///< of all tensors on a GPU; 0 on a CPU
  int64_t reserved_bytes = 0;  ///< of LibTorch's pools on a GPU; 0 on a CPU
  int64_t host_bytes = 0;      ///< largest resident size of the process so far, files included
};

/// From now on LibTorch's pools on a GPU hold no more than what of `bytes` CUDA itself leaves;
/// nothing on a CPU or for 0.
void limit_device_memory(at::Device device, int64_t bytes);

/// Forgets the peaks of a GPU so far; nothing on a CPU.
void start_peak(at::Device device);

/// Peaks since start_peak().
StagePeak read_peak(const std::string& stage, at::Device device);

/// Called where an exception is being handled: what it says if it is about memory, else none.
std::optional<std::string> memory_failure();

/// Called where an exception is being handled during `stage` of a run: throws it again; one about
/// memory as OutOfMemory, with what is free and which flag helps.
[[noreturn]] void rethrow_with_advice(const std::string& stage, const ComputeChoice& compute);

}  // namespace reel::pipeline
