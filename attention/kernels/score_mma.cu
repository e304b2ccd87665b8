#include <cuda_bf16.h>
#include <math_constants.h>

#include "attention/kernels/attend_softmax.cuh"
#include "attention/kernels/ptx/mma_sync.cuh"
#include "attention/kernels/score.h"

// Scores on every GPU since compute capability 8.0 (docs/kernels/score.md, "Other GPUs"). A CTA
// multiplies 128 strided rows with 128 strided columns; the sum over phases and dims comes through
// shared memory 64 dims of one phase at a time, three stages by cp.async. Eight warps: four by two,
// each 32 rows and 64 columns.
namespace reel::attention::kernels {
namespace {

constexpr int kSide = 128;  // strided rows and columns of a tile
constexpr int kDepth = 64;  // dims of a stage
constexpr int kStages = 3;
constexpr int kThreads = 256;
constexpr int kRowBytes = kDepth * 2;
constexpr uint32_t kSideBytes = kSide * kRowBytes;
constexpr uint32_t kSharedBytes = kStages * 2 * kSideBytes;

// The eight 16-byte parts of eight rows that are read together fall into different banks.
__device__ uint32_t place_of(int row, int part) {
  return static_cast<uint32_t>(row * kRowBytes + (part ^ (row & 7)) * 16);
}

/// Begins to bring 64 dims of one token of each of 128 strided rows; those from `end` on become 0.
__device__ void bring(uint32_t target, const __nv_bfloat16* tokens, int64_t token_stride,
                      int first_row, int end, int stride, int offset, int first_dim) {
  constexpr int kParts = kRowBytes / 16;
#pragma unroll
  for (int i = 0; i < kSide * kParts / kThreads; ++i) {
    const int index = static_cast<int>(threadIdx.x) + i * kThreads;
    const int row = index / kParts;
    const int part = index % kParts;
    const bool inside = first_row + row < end;
    const int64_t token = inside ? static_cast<int64_t>(first_row + row) * stride + offset : 0;
    ptx::copy_16_bytes(target + place_of(row, part),
                       tokens + token * token_stride + first_dim + part * 8, inside);
  }
}

/// What a CTA works on.
struct Tile {
  const __nv_bfloat16* q;
  const __nv_bfloat16* k;
  int first_row, first_column;  // strided, of the whole sequence
  int num_strided;
};

/// Begins to bring step `step` of the sum over phases and dims.
__device__ void bring_step(const ScoreParams& params, const Tile& tile, uint32_t shared, int step) {
  const int per_phase = params.head_dim / kDepth;
  const int phase = step / per_phase;
  if (phase < params.stride) {
    const int dim = step % per_phase * kDepth;
    const uint32_t stage = shared + step % kStages * 2 * kSideBytes;
    bring(stage, tile.q, params.q.token_stride, tile.first_row, tile.num_strided, params.stride,
          params.stride - 1 - phase, dim);
    bring(stage + kSideBytes, tile.k, params.k.token_stride, tile.first_column, tile.num_strided,
          params.stride, phase, dim);
  }
  ptx::commit_copies();
}

/// Adds one stage to a warp's logits: [row tile of 16][column tile of 8 * 4 of a thread].
__device__ void multiply(float (&logits)[2][32], uint32_t rows, uint32_t columns, int warp_row,
                         int warp_column) {
  const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
  for (int step = 0; step < kDepth / 16; ++step) {
    uint32_t a[2][4];
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
      ptx::load_matrices(a[tile],
                         rows + place_of(warp_row + tile * 16 + lane % 16, step * 2 + lane / 16));
    }
#pragma unroll
    for (int pair = 0; pair < 4; ++pair) {
      uint32_t b[4];
      ptx::load_matrices(b, columns + place_of(warp_column + pair * 16 + lane / 16 * 8 + lane % 8,
                                               step * 2 + lane / 8 % 2));
#pragma unroll
      for (int tile = 0; tile < 2; ++tile) {
        float* sums = logits[tile] + pair * 8;
        ptx::multiply_16x8<__nv_bfloat16>(sums, a[tile], b[0], b[1]);
        ptx::multiply_16x8<__nv_bfloat16>(sums + 4, a[tile], b[2], b[3]);
      }
    }
  }
}

/// Log2-sum-exp2 of one row's logits in one key block, of which the four threads of a quad hold
/// kTiles pairs each. Columns from `limit` on, counted from the block's first, are not seen.
template <int kTiles>
__device__ float reduce_block(const float* logits, int limit, float scale) {
  const int column = static_cast<int>(threadIdx.x % 4) * 2;
  float max = -CUDART_INF_F;
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      if (i * 8 + column + odd < limit) max = fmaxf(max, logits[i * 4 + odd] * scale);
    }
  }
  max = attend::quad_max(max);
  const float shift = max == -CUDART_INF_F ? 0.0F : max;
  float sum = 0.0F;
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      if (i * 8 + column + odd < limit) sum += exp2f(logits[i * 4 + odd] * scale - shift);
    }
  }
  return shift + log2f(attend::quad_sum(sum));
}

/// Reduces and stores a warp's logits; kStride says how many columns a key block has.
template <int kStride>
__device__ void store(const ScoreParams& params, const Tile& tile, const float (&logits)[2][32],
                      int warp_row, int warp_column) {
  constexpr int kPerBlock = 128 / kStride;
  constexpr int kTiles = kPerBlock / 8;
  constexpr int kBlocks = 64 / kPerBlock;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int padded = (params.num_scored + 7) / 8 * 8;
  const int first_of_launch = params.first_query * kPerBlock;
  const int num_rows = params.num_queries * kPerBlock;
  float* item = params.block_lse + static_cast<int64_t>(blockIdx.z) * num_rows * padded;
#pragma unroll
  for (int half = 0; half < 4; ++half) {
    const int row = tile.first_row + warp_row + half * 8 + lane / 4;
    const int in_launch = row - first_of_launch;
    const int end = params.causal ? min(tile.num_strided, row + 1) : tile.num_strided;
#pragma unroll
    for (int block = 0; block < kBlocks; ++block) {
      const int column = tile.first_column + warp_column + block * kPerBlock;
      const float lse = reduce_block<kTiles>(logits[half / 2] + block * kTiles * 4 + half % 2 * 2,
                                             end - column, params.scale);
      const int key = column / kPerBlock;
      // the threads of a quad store neighbouring blocks
      if (block % 4 == lane % 4 && in_launch < num_rows && key < padded) {
        item[static_cast<int64_t>(in_launch) * padded + key] = lse;
      }
    }
  }
}

__global__ __launch_bounds__(kThreads) void score_mma_kernel(
    const __grid_constant__ ScoreParams params) {
  extern __shared__ __align__(128) uint8_t dynamic_shared[];
  const auto shared = static_cast<uint32_t>(__cvta_generic_to_shared(dynamic_shared));
  const int per_block = 128 / params.stride;
  const int item = params.first_item + static_cast<int>(blockIdx.z);
  const auto head_of = [&](const ScoredTokens& tokens) {
    return static_cast<const __nv_bfloat16*>(tokens.data) +
           (item / params.num_heads) * tokens.batch_stride +
           (item % params.num_heads) * tokens.head_stride;
  };
  const Tile tile = {
      .q = head_of(params.q),
      .k = head_of(params.k),
      .first_row = params.first_query * per_block + static_cast<int>(blockIdx.y) * kSide,
      .first_column = static_cast<int>(blockIdx.x) * kSide,
      .num_strided = params.num_scored * per_block};
  // nothing to see, and nobody reads what would be written
  if (params.causal && tile.first_column / per_block > (tile.first_row + kSide - 1) / per_block) {
    return;
  }
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int warp_row = warp / 2 * 32;
  const int warp_column = warp % 2 * 64;
  float logits[2][32] = {};
  const int num_steps = params.stride * params.head_dim / kDepth;
  for (int step = 0; step < kStages - 1; ++step) bring_step(params, tile, shared, step);
  for (int step = 0; step < num_steps; ++step) {
    ptx::wait_copies<kStages - 2>();
    __syncthreads();
    bring_step(params, tile, shared, step + kStages - 1);
    const uint32_t stage = shared + step % kStages * 2 * kSideBytes;
    multiply(logits, stage, stage + kSideBytes, warp_row, warp_column);
  }
  switch (params.stride) {
    case 4:
      store<4>(params, tile, logits, warp_row, warp_column);
      break;
    case 8:
      store<8>(params, tile, logits, warp_row, warp_column);
      break;
    default:
      store<16>(params, tile, logits, warp_row, warp_column);
  }
}

}  // namespace

cudaError_t launch_score_mma(const ScoreParams& params, cudaStream_t stream) {
  const bool strided = params.stride == 4 || params.stride == 8 || params.stride == 16;
  if (params.dtype != ScoreDtype::kBf16 || !strided || params.head_dim % kDepth != 0) {
    return cudaErrorInvalidValue;
  }
  if (params.num_queries == 0 || params.num_items == 0) return cudaSuccess;
  const auto status = cudaFuncSetAttribute(
      score_mma_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes);
  if (status != cudaSuccess) return status;
  const int per_block = 128 / params.stride;
  const int num_rows = params.num_queries * per_block;
  const int num_columns = (params.num_scored + 7) / 8 * 8 * per_block;
  const dim3 grid(static_cast<unsigned>((num_columns + kSide - 1) / kSide),
                  static_cast<unsigned>((num_rows + kSide - 1) / kSide),
                  static_cast<unsigned>(params.num_items));
  score_mma_kernel<<<grid, kThreads, kSharedBytes, stream>>>(params);
  return cudaGetLastError();
}

}  // namespace reel::attention::kernels
