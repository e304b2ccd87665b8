// What ran on the GPU, by the names of its kernels.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace reel::benchmarks {

struct KernelTotal {
  std::string name;  ///< or that of a copy or a fill: "Memcpy DtoD (Device -> Device)"
  double ms = 0;
  int64_t calls = 0;
};

/// Runs `run` once under LibTorch's profiler; longest first. Empty if CUPTI does not answer.
std::vector<KernelTotal> trace_kernels(const std::function<void()>& run);

}  // namespace reel::benchmarks
