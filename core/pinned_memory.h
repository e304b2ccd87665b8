// Host memory that a GPU copies from while everybody else goes on.
#pragma once

#include <cstdint>
#include <span>

namespace reel {

/// Whole pages of the process's own, in large ones where the system has them. LibTorch's pinned
/// memory takes the next power of two, which is half again too much for the blocks of a model.
class PinnedMemory {
 public:
  /// Throws OutOfMemory. The pages come when they are first written.
  explicit PinnedMemory(uint64_t bytes);

  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;
  ~PinnedMemory();

  std::span<char> bytes() const { return bytes_; }

  /// Keeps the pages where they are, so that copies to a GPU need nobody to wait. Pages that hold
  /// data already are pinned faster: write first, with several threads. Throws OutOfMemory, and
  /// DeviceError in a program without CUDA.
  void pin();

 private:
  std::span<char> bytes_;
  bool pinned_ = false;
};

}  // namespace reel
