// Which blocks are on the device when not all of them fit, and when the next ones are copied: a
// value, so that the order can be tested without a device.
#pragma once

#include <cstdint>
#include <vector>

namespace reel::dit {

/// Blocks are computed in a circle, 0, 1, ..., num_blocks - 1, 0, ...; block b is always in slot
/// b % num_slots, whose memory its tensors are views of.
class BlockSlots {
 public:
  BlockSlots(int64_t num_blocks, int64_t num_slots);

  int64_t slot_of(int64_t block) const { return block % num_slots(); }
  int64_t num_slots() const { return static_cast<int64_t>(holds_.size()); }

  /// The block in `slot`, or none: -1.
  int64_t held_by(int64_t slot) const { return holds_.at(static_cast<size_t>(slot)); }

  /// The blocks whose copies are to start just before `block` is computed, in this order: itself,
  /// unless it is there already, and those of the next num_slots - 1 whose slot holds none that
  /// comes earlier. Notes that they are there then. A block may be asked for out of turn.
  std::vector<int64_t> start(int64_t block);

 private:
  int64_t num_blocks_;
  std::vector<int64_t> holds_;
};

}  // namespace reel::dit
