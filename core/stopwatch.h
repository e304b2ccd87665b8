// Wall-clock time in milliseconds.
#pragma once

#include <chrono>

namespace reel {

/// Runs from its construction.
class Stopwatch {
 public:
  double elapsed_ms() const {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double, std::milli>(now - start_).count();
  }
  void restart() { start_ = std::chrono::steady_clock::now(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace reel
