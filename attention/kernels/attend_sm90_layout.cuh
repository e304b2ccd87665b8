// What the Hopper attention kernel is made of besides its code: the compile-time choices, the plan
// of a launch, and the layout of shared memory with its barriers (docs/kernels/sparse_forward.md).
// Letters (docs/SHAPES.md): D head dim.
#pragma once

#include <cstdint>

#include "attention/kernels/attend.h"
#include "attention/kernels/attend_softmax.cuh"
#include "attention/kernels/ptx/barrier.cuh"

namespace reel::attention::kernels::attend {

inline constexpr int kBlock = 128;     // tokens of a query tile and of a key block
inline constexpr int kGroupRows = 64;  // queries of a warpgroup
inline constexpr int kThreads = 384;   // one producer and two consumer warpgroups
inline constexpr int kRowBytes = 128;  // 64 elements, what the swizzle spans
inline constexpr int kConsumerWarps = 8;
inline constexpr int kTileSlots = 2;

/// What is fixed when the kernel is compiled.
template <typename ElementType, int kDim, int kStageCount, bool kOverlapProducts, bool kTakeTurns,
          Rescale kRescaleWhen>
struct Config {
  using Element = ElementType;
  static constexpr int kHeadDim = kDim;
  static constexpr int kStages = kStageCount;
  static constexpr bool kOverlap = kOverlapProducts;
  static constexpr bool kTurns = kTakeTurns;
  static constexpr Rescale kRescale = kRescaleWhen;
  static constexpr int kChunks = kHeadDim / 64;
  static constexpr uint32_t kQueryBytes = kGroupRows * kHeadDim * 2;  // of one warpgroup
  static constexpr uint32_t kBlockBytes = kBlock * kHeadDim * 2;
  static constexpr uint32_t kTileBytes = 2 * kQueryBytes + 2 * kStages * kBlockBytes;
  static constexpr uint32_t kSharedBytes = kTileBytes + 1024 + 256;  // alignment, barriers
};

/// What the kernel needs besides the maps of q, k and v.
struct Plan {
  AttendTensor out;
  float* lse;
  const uint16_t* keys;
  const int32_t* counts;
  int32_t* next_tile;
  float scale_log2;  // log2(e) / sqrt(D)
  int32_t num_tokens, num_heads, num_blocks, num_tiles;
  bool causal;
  bool q_heads_first, k_heads_first, v_heads_first;  // the map's second dimension is the head
};

/// A tile as the producer announces it to the consumers.
struct Tile {
  int item;  // -1: no more tiles
  int query;
  int count;      // key blocks
  int first_key;  // the one that is processed first
};

/// Shared memory: tiles first, then barriers.
template <typename C>
struct Layout {
  uint32_t q, k, v;
  uint32_t k_full, k_empty, v_full, v_empty;  // [kStages]
  uint32_t q_full, q_empty;                   // [2], one a warpgroup
  uint32_t tile_full, tile_empty;             // [kTileSlots]
  int4* tiles;                                // [kTileSlots]

  __device__ explicit Layout(uint8_t* shared) {
    const uint32_t start = ptx::shared_address(shared);
    q = (start + 1023) / 1024 * 1024;
    k = q + 2 * C::kQueryBytes;
    v = k + C::kStages * C::kBlockBytes;
    const uint32_t end = v + C::kStages * C::kBlockBytes;
    tiles = reinterpret_cast<int4*>(shared + (end - start));
    k_full = end + kTileSlots * sizeof(int4);
    k_empty = k_full + C::kStages * 8;
    v_full = k_empty + C::kStages * 8;
    v_empty = v_full + C::kStages * 8;
    q_full = v_empty + C::kStages * 8;
    q_empty = q_full + 2 * 8;
    tile_full = q_empty + 2 * 8;
    tile_empty = tile_full + kTileSlots * 8;
  }

  __device__ void init_barriers() const {
    for (int stage = 0; stage < C::kStages; ++stage) {
      ptx::init_barrier(k_full + stage * 8, 1);
      ptx::init_barrier(k_empty + stage * 8, kConsumerWarps);
      ptx::init_barrier(v_full + stage * 8, 1);
      ptx::init_barrier(v_empty + stage * 8, kConsumerWarps);
    }
    for (int i = 0; i < 2; ++i) {
      ptx::init_barrier(q_full + i * 8, 1);
      ptx::init_barrier(q_empty + i * 8, kConsumerWarps / 2);
      ptx::init_barrier(tile_full + i * 8, 1);
      ptx::init_barrier(tile_empty + i * 8, kConsumerWarps);
    }
    ptx::publish_barriers();
  }
};

/// Walks a ring of kCount barriers; `parity` is that of the phase which is filled.
template <int kCount>
struct Ring {
  int index = 0;
  uint32_t parity = 0;

  __device__ void advance() {
    if (++index == kCount) {
      index = 0;
      parity ^= 1U;
    }
  }
};

}  // namespace reel::attention::kernels::attend
