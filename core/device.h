// Which device and number format a run uses, and how many CPU threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace reel {

/// True if this build can use NVIDIA GPUs and one is there.
bool has_gpu();

/// Turns "auto", "cpu", "cuda" or "cuda:N" into a device; "auto" is the first GPU, else the CPU.
/// Throws ConfigError for another text or a GPU that is not there.
at::Device parse_device(const std::string& text);

/// Turns "fp32", "bf16" or "fp16" into a dtype. Throws ConfigError for another text.
at::ScalarType parse_dtype(const std::string& text);

/// "fp32", "bf16", "fp16", else LibTorch's own name.
std::string dtype_name(at::ScalarType dtype);

/// Major compute capability of a GPU, 9 for Hopper; 0 for a CPU and where the driver does not say.
int compute_capability_major(at::Device device);

/// Number of CPU cores that this process may use (its affinity mask), at least 1.
int num_usable_cores();

/// Waits until `device` has finished all work given to it; returns at once on a CPU.
/// For stage timing at the end of a stage, never inside the step loop.
void synchronize(at::Device device);

/// Gives memory that freed tensors left with LibTorch back to the GPU's other users, and to larger
/// tensors; nothing on a CPU. For the moment when a model leaves: it waits for the device.
void release_freed_memory(at::Device device);

}  // namespace reel
