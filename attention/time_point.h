// Moments on a device's own clock, taken without waiting for it.
#pragma once

#include <c10/core/Device.h>

#include <chrono>
#include <memory>

namespace c10 {
struct Event;
}

namespace reel::attention {

/// A moment: the host's clock on a CPU, an event in the current stream on a GPU. Cheap to copy.
class TimePoint {
 public:
  /// Never synchronises.
  static TimePoint now(c10::Device device);

  /// Milliseconds from this to `later`; waits until the GPU has reached both.
  double ms_until(const TimePoint& later) const;

  /// Waits until the device has reached it; returns at once on a CPU.
  void wait() const;

 private:
  std::chrono::steady_clock::time_point host_;
  std::shared_ptr<c10::Event> event_;  // GPU only
};

}  // namespace reel::attention
