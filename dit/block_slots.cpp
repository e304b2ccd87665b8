#include "dit/block_slots.h"

#include <algorithm>

namespace reel::dit {

BlockSlots::BlockSlots(int64_t num_blocks, int64_t num_slots)
    : num_blocks_(num_blocks), holds_(static_cast<size_t>(num_slots), -1) {}

std::vector<int64_t> BlockSlots::start(int64_t block) {
  std::vector<int64_t> copies;
  std::vector<bool> wanted(holds_.size());
  for (int64_t ahead = 0; ahead < std::min(num_slots(), num_blocks_); ++ahead) {
    const int64_t next = (block + ahead) % num_blocks_;
    const auto slot = static_cast<size_t>(slot_of(next));
    if (wanted[slot]) break;  // where the circle closes: its turn comes when the slot is free
    wanted[slot] = true;
    if (holds_[slot] == next) continue;
    holds_[slot] = next;
    copies.push_back(next);
  }
  return copies;
}

}  // namespace reel::dit
