// Transformer blocks that wait in host memory and pass through a few slots of device memory while
// the blocks before them are computed.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/pinned_memory.h"
#include "dit/block_places.h"
#include "dit/block_slots.h"
#include "dit/config.h"

namespace reel::dit {

/// Slots of device memory, each as large as the largest block: one block is computed while the next
/// two are copied. With a number of blocks that is no multiple of it, the first copy of each pass
/// starts late.
inline constexpr int64_t kBlockSlots = 3;

/// Copies run on a stream of their own; the host never waits for them, and neither does the device
/// unless a block is computed faster than the block two after it is copied. On a CPU device the
/// same happens in one thread.
class BlockStream {
 public:
  /// For tensors of `options`' dtype and device. Throws OutOfMemory.
  BlockStream(const Config& config, const at::TensorOptions& options);

  BlockStream(const BlockStream&) = delete;
  BlockStream& operator=(const BlockStream&) = delete;
  ~BlockStream();

  /// Every block's tensors in host memory, by name, for the caller to fill.
  std::map<std::string, at::Tensor> host_tensors() const;

  /// To be called when the host tensors are filled: pins their memory. Throws OutOfMemory.
  void pin();

  /// Every block's tensors as they lie in their slot: what layers compute with. Tensors of several
  /// blocks share memory; their values are those of `block` from before(block) to after(block).
  std::map<std::string, at::Tensor> slot_tensors() const;

  /// What the current stream is given from now on waits until `block` is in its slot.
  void before(int64_t block);

  /// The slot of `block` is free once the current stream has done what it has been given so far.
  void after(int64_t block);

 private:
  // One slot's memory. Events are unused on a CPU.
  struct Slot {
    at::Tensor bytes;  // [largest block] uint8
    c10::Event filled;
    c10::Event free;
  };

  at::Tensor view(const at::Tensor& bytes, const TensorPlace& place) const;
  void copy(int64_t block);

  at::ScalarType dtype_;
  at::Device device_;
  std::vector<BlockPlaces> places_;
  std::vector<std::shared_ptr<PinnedMemory>> memory_;  // a piece for each block
  std::vector<at::Tensor> host_bytes_;                 // [its bytes] uint8, the same memory
  std::vector<Slot> slots_;
  BlockSlots held_;
  std::optional<c10::Stream> copy_stream_;  // none on a CPU
};

}  // namespace reel::dit
