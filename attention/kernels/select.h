// Which key blocks every query block attends to, from the block scores; lists that the sparse
// forward kernel walks. Border of the CUDA code: no LibTorch here.
// Letters (docs/SHAPES.md): B batch, A heads, n blocks; m scored blocks, I = B * A items.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace reel::attention::kernels {

/// Key blocks of every item and query block, on the device.
struct BlockListPointers {
  uint16_t* keys;                // [I, n, n], ascending; the first `counts` of a row are valid
  int32_t* counts;               // [I, n]
  uint32_t* mask;                // [I, n, ceil(n / 32)], bit k % 32 of word k / 32 is key block k
  unsigned long long* selected;  // [I], counts are added to it
};

/// All pointers are on the device. Item i is head i % A of batch item i / A.
struct SelectParams {
  const float* block_lse;  // [num_items, num_queries * rows_per_block, padded] of score.h
  const double* taus;      // [A]
  BlockListPointers lists;
  float* block_mass;                 // [I, m, m], rows sum to 1; nullptr if nobody asks
  int32_t num_heads;                 // A
  int32_t first_item, num_items;     // of this launch
  int32_t first_query, num_queries;  // scored query blocks of this launch
  bool unscored_queries;             // also writes the full lists of query blocks m .. n - 1
  int32_t num_blocks;                // n
  int32_t num_scored;                // m
  int32_t rows_per_block;            // strided rows: 8, 16 or 32
  bool causal;                       // key blocks after the query block are invisible
  bool self;                         // the query block's own block is forced
  int32_t sink;                      // the first `sink` blocks are forced
  bool by_block;                     // a CTA a row even where a warp would do
};

/// Largest n that the kernel takes: lists hold 16-bit indices, one row's scores must fit in shared
/// memory.
inline constexpr int32_t kMaxSelectBlocks = 40'000;

/// Writes lists, counts, mask and, if asked for, masses of the given items and queries; the rule is
/// that of select_blocks (attention/block_plan.h). Deterministic.
cudaError_t launch_select(const SelectParams& params, cudaStream_t stream);

/// Writes the lists of a given mask [I, n, n] of bytes, 0 for blocks that are not seen.
cudaError_t launch_lists_of_mask(const uint8_t* given, int32_t num_items, int32_t num_blocks,
                                 const BlockListPointers& lists, cudaStream_t stream);

}  // namespace reel::attention::kernels
