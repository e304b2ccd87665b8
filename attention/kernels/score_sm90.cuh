// The score kernel for compute capability 9.0 (docs/kernels/score.md).
//
// A tile is 128 strided rows by 256 strided columns of one item. Its products run over chunks of
// 128 bytes along (phase, head dim): one warp lets TMA gather them into a ring of stages, two
// warpgroups multiply 64 rows each. With clusters of two, neighbouring row tiles share each key
// tile, of which each CTA fetches one half for both.
#pragma once

#include <cuda.h>
#include <math_constants.h>

#include <cstdint>

#include "attention/kernels/ptx/barrier.cuh"
#include "attention/kernels/ptx/tma.cuh"
#include "attention/kernels/ptx/wgmma.cuh"
#include "attention/kernels/ptx/wgmma_n128_e4m3.cuh"
#include "attention/kernels/ptx/wgmma_n256.cuh"
#include "attention/kernels/score.h"

namespace reel::attention::kernels {

inline constexpr int kScoreRows = 128;     // of a tile
inline constexpr int kScoreColumns = 256;  // of a tile
inline constexpr int kScoreStages = 4;
inline constexpr int kScoreThreads = 384;
inline constexpr uint32_t kScoreQBytes = kScoreRows * 128;
inline constexpr uint32_t kScoreKBytes = kScoreColumns * 128;
inline constexpr uint32_t kScoreStageBytes = kScoreQBytes + kScoreKBytes;
// 1024 to align the stages as the 128-byte swizzle wants them
inline constexpr uint32_t kScoreSharedBytes = 1024 + kScoreStages * kScoreStageBytes;
inline constexpr int kScoreLead = 2;  // chunks that the first warpgroup is ahead of the second

/// What one launch does; filled by the host.
struct ScorePlan {
  float* block_lse;
  float scale;
  const float* q_magnitude;  // nullptr: nothing to multiply by
  const float* k_magnitude;
  int num_heads, head_dim, stride;
  int first_item;
  int first_row, num_rows;      // strided rows of this launch, of every item
  int num_columns;              // strided columns
  int padded;                   // columns of block_lse
  int row_tiles, column_tiles;  // a row tile is that of a whole cluster
  int num_tiles;                // of all items
  int band;
  bool causal, skew, head_before_phase;
};

namespace score {

struct Tile {
  int item;         // of this launch
  int row, column;  // first ones of the whole cluster's tile; row within this launch
  bool hidden;      // causal: no row sees any column
};

template <int kCluster>
__device__ Tile tile_of(const ScorePlan& plan, int number) {
  const int per_item = plan.row_tiles * plan.column_tiles;
  const int item = number / per_item;
  const int within = number % per_item;
  const int per_band = plan.band * plan.column_tiles;
  const int band = within / per_band;
  const int height = min(plan.band, plan.row_tiles - band * plan.band);
  const int rest = within % per_band;
  Tile tile;
  tile.item = item;
  tile.row = (band * plan.band + rest % height) * kScoreRows * kCluster;
  tile.column = rest / height * kScoreColumns;
  tile.hidden = plan.causal && tile.column >= plan.first_row + tile.row + kScoreRows * kCluster;
  return tile;
}

// The ring of stages, as producer and consumers walk it.
struct Ring {
  int stage = 0;
  uint32_t parity = 0;

  __device__ void advance() {
    if (++stage == kScoreStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

struct Memory {
  uint32_t stages;  // shared addresses
  uint32_t full;    // kScoreStages barriers
  uint32_t empty;   // kScoreStages barriers

  __device__ uint32_t q(int stage) const { return stages + stage * kScoreStageBytes; }
  __device__ uint32_t k(int stage) const { return q(stage) + kScoreQBytes; }
  __device__ uint32_t full_at(int stage) const { return full + stage * 8; }
  __device__ uint32_t empty_at(int stage) const { return empty + stage * 8; }
};

// Coordinates in the order of the tensor map: strides ascend, so heads come first if they are
// closer to each other than tokens.
__device__ inline ptx::Box5 box_at(const ScorePlan& plan, int dim, int phase, int row, int head,
                                   int batch) {
  return plan.head_before_phase ? ptx::Box5{dim, head, phase, row, batch}
                                : ptx::Box5{dim, phase, row, head, batch};
}

// One thread feeds the ring.
template <int kCluster, int kChunkDims>
__device__ void produce(const ScorePlan& plan, const CUtensorMap& q_map, const CUtensorMap& k_map,
                        const Memory& memory, int cta_rank) {
  const int chunks_per_phase = plan.head_dim / kChunkDims;
  const int num_chunks = chunks_per_phase * plan.stride;
  Ring ring;
  for (int number = blockIdx.x / kCluster; number < plan.num_tiles;
       number += gridDim.x / kCluster) {
    const Tile tile = tile_of<kCluster>(plan, number);
    if (tile.hidden) continue;
    const int item = plan.first_item + tile.item;
    const int head = item % plan.num_heads;
    const int batch = item / plan.num_heads;
    const int q_row = plan.first_row + tile.row + cta_rank * kScoreRows;
    for (int chunk = 0; chunk < num_chunks; ++chunk) {
      const int phase = chunk / chunks_per_phase;
      const int dim = chunk % chunks_per_phase * kChunkDims;
      const uint32_t full = memory.full_at(ring.stage);
      ptx::wait_barrier(memory.empty_at(ring.stage), ring.parity ^ 1);
      ptx::arrive_expecting(full, kScoreStageBytes);
      ptx::load_box(q_map, memory.q(ring.stage), full,
                    box_at(plan, dim, plan.stride - 1 - phase, q_row, head, batch));
      if constexpr (kCluster == 1) {
        for (int half = 0; half < 2; ++half) {
          ptx::load_box(k_map, memory.k(ring.stage) + half * kScoreKBytes / 2, full,
                        box_at(plan, dim, phase, tile.column + half * 128, head, batch));
        }
      } else {
        ptx::load_box_multicast(k_map, memory.k(ring.stage) + cta_rank * kScoreKBytes / 2, full,
                                box_at(plan, dim, phase, tile.column + cta_rank * 128, head, batch),
                                (1U << kCluster) - 1);
      }
      ring.advance();
    }
  }
}

// Hides columns of a tile that a row must not see, or that do not exist.
__device__ inline void hide_columns(float (&acc)[128], int row, int column, int num_columns,
                                    bool causal) {
#pragma unroll
  for (int i = 0; i < 128; ++i) {
    const int at_row = row + (i / 2 % 2) * 8;
    const int at_column = column + i / 4 * 8 + i % 2;
    if (at_column >= num_columns || (causal && at_column > at_row)) acc[i] = -CUDART_INF_F;
  }
}

__device__ inline float exp2_approx(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

__device__ inline float log2_approx(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

template <int kCount>
__device__ void store(float* target, const float (&values)[kCount]) {
  if constexpr (kCount == 2) {
    __stcs(reinterpret_cast<float2*>(target), make_float2(values[0], values[1]));
  } else {
#pragma unroll
    for (int i = 0; i < kCount; i += 4) {
      __stcs(reinterpret_cast<float4*>(target + i),
             make_float4(values[i], values[i + 1], values[i + 2], values[i + 3]));
    }
  }
}

// Sums of every block's columns in the four lanes that share a row; lane q of them ends with blocks
// q * kKept .. of the tile.
template <int kBlocks>
__device__ void share_sums(const float (&sums)[kBlocks], float (&kept)[kBlocks / 4]) {
  const int lane = threadIdx.x;
  float halves[kBlocks / 2];
#pragma unroll
  for (int i = 0; i < kBlocks / 2; ++i) {
    const bool upper = lane & 2;
    const float mine = upper ? sums[i + kBlocks / 2] : sums[i];
    const float theirs = upper ? sums[i] : sums[i + kBlocks / 2];
    halves[i] = mine + __shfl_xor_sync(0xffffffffU, theirs, 2);
  }
#pragma unroll
  for (int i = 0; i < kBlocks / 4; ++i) {
    const bool upper = lane & 1;
    const float mine = upper ? halves[i + kBlocks / 4] : halves[i];
    const float theirs = upper ? halves[i] : halves[i + kBlocks / 4];
    kept[i] = mine + __shfl_xor_sync(0xffffffffU, theirs, 1);
  }
}

// Log-sum-exp of each block's columns: a thread has two rows, of each 64 of the 256 columns.
template <int kStride>
__device__ void reduce_and_store(const float (&acc)[128], float scale, float* target,
                                 int64_t row_pitch, int rows_left, bool columns_exist) {
  constexpr int kColumnsPerBlock = 128 / kStride;
  constexpr int kBlocks = kScoreColumns / kColumnsPerBlock;
  constexpr int kGroups = kColumnsPerBlock / 8;  // of eight columns, a block
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float max = acc[half * 2];
#pragma unroll
    for (int group = 0; group < 32; ++group) {
      max = fmaxf(max, fmaxf(acc[group * 4 + half * 2], acc[group * 4 + half * 2 + 1]));
    }
    max = fmaxf(max, __shfl_xor_sync(0xffffffffU, max, 1));
    max = fmaxf(max, __shfl_xor_sync(0xffffffffU, max, 2));
    const float shift = max == -CUDART_INF_F ? 0.0F : max * scale;
    float sums[kBlocks];
#pragma unroll
    for (int block = 0; block < kBlocks; ++block) {
      sums[block] = 0;
#pragma unroll
      for (int group = block * kGroups; group < (block + 1) * kGroups; ++group) {
        sums[block] += exp2_approx(fmaf(acc[group * 4 + half * 2], scale, -shift)) +
                       exp2_approx(fmaf(acc[group * 4 + half * 2 + 1], scale, -shift));
      }
    }
    float kept[kBlocks / 4];
    share_sums<kBlocks>(sums, kept);
#pragma unroll
    for (float& value : kept) value = shift + log2_approx(value);
    if (columns_exist && half * 8 < rows_left) store(target + half * 8 * row_pitch, kept);
  }
}

template <ScoreDtype kDtype>
__device__ void multiply_chunk(float (&acc)[128], uint64_t q, uint64_t k, bool accumulate) {
#pragma unroll
  for (int step = 0; step < 4; ++step) {  // of 32 bytes
    if constexpr (kDtype == ScoreDtype::kBf16) {
      ptx::wgmma_m64n256_bf16(acc, q + step * 2, k + step * 2, accumulate || step > 0);
    } else {
      ptx::wgmma_m64n256_e4m3(acc, q + step * 2, k + step * 2, accumulate || step > 0);
    }
  }
}

// The same into fresh sums of half the columns at a time, added up outside the tensor cores.
__device__ inline void multiply_chunk_apart(float (&acc)[128], uint64_t q, uint64_t k) {
  constexpr uint64_t kHalf = kScoreKBytes / 2 >> 4;  // of the key tile, as descriptors count
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float part[64];
    ptx::begin_products();
#pragma unroll
    for (int step = 0; step < 4; ++step) {
      ptx::wgmma_m64n128_e4m3(part, q + step * 2, k + half * kHalf + step * 2, step > 0);
    }
    ptx::commit_products();
    ptx::wait_products<0>();
    ptx::pin(part);
#pragma unroll
    for (int i = 0; i < 64; ++i) acc[half * 64 + i] += part[i];
  }
}

// Two warpgroups empty the ring; `group` 0 or 1.
template <int kStride, ScoreDtype kDtype, int kCluster, bool kApart>
__device__ void consume(const ScorePlan& plan, const Memory& memory, int cta_rank, int group) {
  constexpr int kChunkDims = kDtype == ScoreDtype::kBf16 ? 64 : 128;
  constexpr int kBlocks = kScoreColumns * kStride / 128;
  const int num_chunks = plan.head_dim / kChunkDims * kStride;
  const int thread = threadIdx.x % 128;
  const int lane = threadIdx.x % 32;
  // within the cluster's tile
  const int my_row = cta_rank * kScoreRows + group * 64 + thread / 32 * 16 + lane / 4;
  const auto release = [&](int stage) {
    if constexpr (kCluster == 1) {
      if (lane == 0) ptx::arrive(memory.empty_at(stage));
    } else {
      if (lane < kCluster) ptx::arrive_at(memory.empty_at(stage), lane);
    }
  };
  float acc[128];
  Ring ring;
  for (int number = blockIdx.x / kCluster; number < plan.num_tiles;
       number += gridDim.x / kCluster) {
    const Tile tile = tile_of<kCluster>(plan, number);
    if (tile.hidden) continue;
    if (plan.skew && group == 1) ptx::sync_named<1, 256>();
    if constexpr (kApart) {
#pragma unroll
      for (float& sum : acc) sum = 0;
    }
    int previous = 0;
    for (int chunk = 0; chunk < num_chunks; ++chunk) {
      ptx::wait_barrier(memory.full_at(ring.stage), ring.parity);
      const uint64_t q = ptx::describe_k_major(memory.q(ring.stage) + group * 64 * 128);
      const uint64_t k = ptx::describe_k_major(memory.k(ring.stage));
      const bool lead_is_over = plan.skew && group == 0 && chunk == kScoreLead - 1;
      if constexpr (kApart) {
        multiply_chunk_apart(acc, q, k);
        if (lead_is_over) ptx::arrive_named<1, 256>();
        release(ring.stage);
      } else {
        ptx::begin_products();
        multiply_chunk<kDtype>(acc, q, k, chunk > 0);
        ptx::commit_products();
        if (lead_is_over) ptx::arrive_named<1, 256>();
        if (chunk > 0) {
          ptx::wait_products<1>();
          release(previous);
        }
        previous = ring.stage;
      }
      ring.advance();
    }
    if constexpr (!kApart) {
      ptx::wait_products<0>();
      release(previous);
      ptx::pin(acc);
    }
    const int row = plan.first_row + tile.row + my_row;
    const bool diagonal = plan.causal && tile.column + kScoreColumns > plan.first_row + tile.row;
    if (diagonal || tile.column + kScoreColumns > plan.num_columns) {
      hide_columns(acc, row, tile.column + lane % 4 * 2, plan.num_columns, plan.causal);
    }
    const int block = tile.column / kScoreColumns * kBlocks + lane % 4 * (kBlocks / 4);
    float* target =
        plan.block_lse +
        (static_cast<int64_t>(tile.item) * plan.num_rows + tile.row + my_row) * plan.padded + block;
    float scale = plan.scale;
    if constexpr (kDtype == ScoreDtype::kE4m3) {
      const int item = plan.first_item + tile.item;
      scale *= plan.q_magnitude[item] * plan.k_magnitude[item];
    }
    reduce_and_store<kStride>(acc, scale, target, plan.padded, plan.num_rows - tile.row - my_row,
                              block < plan.padded);
  }
}

// kApart: sums of each chunk of e4m3 are added up in fp32.
template <int kStride, ScoreDtype kDtype, int kCluster, bool kApart>
__global__ __cluster_dims__(kCluster, 1, 1)
    __launch_bounds__(kScoreThreads, 1) void kernel(const __grid_constant__ CUtensorMap q_map,
                                                    const __grid_constant__ CUtensorMap k_map,
                                                    const ScorePlan plan) {
  extern __shared__ uint8_t dynamic_shared[];
  __shared__ uint64_t barriers[2 * kScoreStages];
  const Memory memory = {.stages = (ptx::shared_address(dynamic_shared) + 1023U) & ~1023U,
                         .full = ptx::shared_address(barriers),
                         .empty = ptx::shared_address(barriers + kScoreStages)};
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < kScoreStages; ++stage) {
      ptx::init_barrier(memory.full_at(stage), 1);
      ptx::init_barrier(memory.empty_at(stage), kCluster * 8);  // warps
    }
    ptx::publish_barriers();
  }
  ptx::sync_cluster<kCluster>();
  const int cta_rank = static_cast<int>(blockIdx.x) % kCluster;
  const int group = static_cast<int>(threadIdx.x) / 128;
  if (group == 2) {
    ptx::shrink_registers<40>();
    if (threadIdx.x == 256) {
      produce<kCluster, kDtype == ScoreDtype::kBf16 ? 64 : 128>(plan, q_map, k_map, memory,
                                                                cta_rank);
    }
    __syncwarp();
  } else {
    ptx::grow_registers<232>();
    consume<kStride, kDtype, kCluster, kApart>(plan, memory, cta_rank, group);
  }
  // a neighbour may still arrive at this CTA's barriers
  ptx::sync_cluster<kCluster>();
}

}  // namespace score
}  // namespace reel::attention::kernels
