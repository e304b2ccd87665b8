// How long every LibTorch operator kept the device, by moments around the outermost ones.
#pragma once

#include <ATen/record_function.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <map>
#include <string>

namespace reel::benchmarks {

struct OpTime {
  double ms = 0;
  int64_t calls = 0;
};

/// Watches all operators of this thread while it lives; one at a time. Work that is not an
/// operator of LibTorch (our kernels) is not seen.
class OpTimes {
 public:
  explicit OpTimes(c10::Device device);
  ~OpTimes();
  OpTimes(const OpTimes&) = delete;
  OpTimes& operator=(const OpTimes&) = delete;

  /// By name ("aten::addmm"), so far; waits for the GPU.
  static std::map<std::string, OpTime> totals();

 private:
  at::CallbackHandle handle_;
};

}  // namespace reel::benchmarks
