// What both selection kernels share: which row they work on, and which of its blocks are taken.
#pragma once

#include <cstdint>

#include "attention/kernels/select.h"

namespace reel::attention::kernels {

inline constexpr unsigned kAllLanes = 0xffffffffU;

__device__ inline float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

template <typename T>
__device__ T warp_sum(T value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(kAllLanes, value, offset);
  }
  return value;
}

__device__ inline float warp_max(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, offset));
  }
  return value;
}

// One (item, query block) and the key blocks that it may see.
struct SelectRow {
  bool scored;  // text and ragged query blocks are not: they see every visible block
  int item, query, candidates, visible;

  // `number` counts the query blocks of the launch, those that are not scored last.
  __device__ static SelectRow of(const SelectParams& params, int number, int item_of_launch) {
    SelectRow row;
    row.scored = number < params.num_queries;
    row.item = params.first_item + item_of_launch;
    row.query =
        row.scored ? params.first_query + number : params.num_scored + number - params.num_queries;
    row.candidates = params.causal ? min(row.query + 1, params.num_scored) : params.num_scored;
    row.visible = params.causal ? row.query + 1 : params.num_blocks;
    return row;
  }

  // Where the scores of its strided rows begin in block_lse, in rows.
  __device__ int64_t first_strided(const SelectParams& params) const {
    const int64_t launch_row = static_cast<int64_t>(item - params.first_item) * params.num_queries +
                               query - params.first_query;
    return launch_row * params.rows_per_block;
  }

  __device__ int64_t list(const SelectParams& params) const {
    return static_cast<int64_t>(item) * params.num_blocks + query;
  }
};

// What the ranking by mass takes: everything heavier than `threshold`, and of the blocks that
// weigh just as much those within `reach` of the query block, and perhaps one more. Masses are not
// negative, so their bits order like the numbers.
struct SelectChoice {
  uint32_t threshold = ~0U;  // bits
  int reach = -1;
  int extra = -1;  // -1: none
  bool all = false;

  __device__ bool takes(uint32_t bits, int key, int query) const {
    if (all || bits > threshold) return true;
    return bits == threshold && (abs(key - query) <= reach || key == extra);
  }
};

}  // namespace reel::attention::kernels
