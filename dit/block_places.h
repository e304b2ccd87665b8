// Where the tensors of each transformer block lie when the block is one piece of memory, which one
// copy moves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dit/config.h"

namespace reel::dit {

struct TensorPlace {
  std::string name;  ///< as in weight_table()
  std::vector<int64_t> shape;
  int64_t offset = 0;  ///< in bytes, a multiple of 512, as LibTorch places tensors
};

struct BlockPlaces {
  std::vector<TensorPlace> tensors;  ///< all of one block
  int64_t bytes = 0;                 ///< of the piece
};

/// One for each block in the order of computation, double blocks first, for tensors of
/// `element_size` bytes an element.
std::vector<BlockPlaces> block_places(const Config& config, int64_t element_size);

/// The largest block's bytes; 0 if there is none.
int64_t largest_block_bytes(const std::vector<BlockPlaces>& places);

/// All blocks' bytes.
int64_t total_block_bytes(const std::vector<BlockPlaces>& places);

}  // namespace reel::dit
