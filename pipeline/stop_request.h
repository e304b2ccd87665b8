// How a user's or the system's wish to stop reaches the work.
#pragma once

#include <atomic>

#include "core/error.h"

namespace reel::pipeline {

/// Looks at a flag that a signal handler sets. Cheap to copy and to ask.
class StopRequest {
 public:
  /// Nobody will ask to stop.
  StopRequest() = default;

  /// `signal` is 0 until a signal came, then its number; it must outlive this.
  explicit StopRequest(const std::atomic<int>& signal) : signal_(&signal) {}

  bool requested() const { return signal_ != nullptr && signal_->load() != 0; }

  /// Throws Interrupted once a signal came. Called between stages, clips, steps and tiles,
  /// and while weights load.
  void throw_if_requested() const {
    if (requested()) throw Interrupted(signal_->load());
  }

 private:
  const std::atomic<int>* signal_ = nullptr;
};

}  // namespace reel::pipeline
