#include <cuda_bf16.h>
#include <math_constants.h>

#include "attention/kernels/score.h"

namespace reel::attention::kernels {
namespace {

constexpr int kSide = 64;   // rows and columns of a tile
constexpr int kDepth = 16;  // dims in shared memory at a time
constexpr int kThreads = 256;

__device__ float value_at(const ScoredTokens& tokens, int item, int num_heads, int64_t token,
                          int dim) {
  const auto* data = static_cast<const __nv_bfloat16*>(tokens.data);
  return __bfloat162float(
      data[(item / num_heads) * tokens.batch_stride + token * tokens.token_stride +
           (item % num_heads) * tokens.head_stride + dim]);
}

// Logits of one tile times `scale`; each thread sums 4 x 4 of them.
__device__ void multiply(const ScoreParams& params, int item, int first_row, int first_column,
                         int num_strided, float (&logits)[kSide][kSide + 1]) {
  __shared__ float rows[kSide][kDepth + 1];
  __shared__ float columns[kSide][kDepth + 1];
  const int x = threadIdx.x % 16;
  const int y = threadIdx.x / 16;
  float sums[4][4] = {};
  for (int first = 0; first < params.stride * params.head_dim; first += kDepth) {
    for (int i = threadIdx.x; i < kSide * kDepth; i += kThreads) {
      const int line = i / kDepth;
      const int phase = (first + i % kDepth) / params.head_dim;
      const int dim = (first + i % kDepth) % params.head_dim;
      const bool dim_exists = phase < params.stride;
      const int64_t row = first_row + line;
      const int64_t column = first_column + line;
      rows[line][i % kDepth] = dim_exists && row < num_strided
                                   ? value_at(params.q, item, params.num_heads,
                                              row * params.stride + params.stride - 1 - phase, dim)
                                   : 0;
      columns[line][i % kDepth] =
          dim_exists && column < num_strided
              ? value_at(params.k, item, params.num_heads, column * params.stride + phase, dim)
              : 0;
    }
    __syncthreads();
    for (int depth = 0; depth < kDepth; ++depth) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          sums[i][j] += rows[y + 16 * i][depth] * columns[x + 16 * j][depth];
        }
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) logits[y + 16 * i][x + 16 * j] = sums[i][j] * params.scale;
  }
  __syncthreads();
}

__global__ __launch_bounds__(kThreads) void score_simple_kernel(const ScoreParams params) {
  __shared__ float logits[kSide][kSide + 1];
  const int per_block = 128 / params.stride;
  const int num_strided = params.num_scored * per_block;
  const int padded = (params.num_scored + 7) / 8 * 8;
  const int64_t num_rows = int64_t{params.num_queries} * per_block;
  const int item_in_launch = static_cast<int>(blockIdx.z);
  const int row_in_launch = static_cast<int>(blockIdx.y) * kSide;
  const int first_row = params.first_query * per_block + row_in_launch;
  const int first_column = static_cast<int>(blockIdx.x) * kSide;
  multiply(params, params.first_item + item_in_launch, first_row, first_column, num_strided,
           logits);
  const int blocks = kSide / per_block;
  for (int i = threadIdx.x; i < kSide * blocks; i += kThreads) {
    const int line = i / blocks;
    const int block = i % blocks;
    const int key = first_column / per_block + block;
    if (row_in_launch + line >= num_rows || key >= padded) continue;
    const auto logit = [&](int offset) {
      const int column = first_column + block * per_block + offset;
      const bool seen = column < num_strided && (!params.causal || column <= first_row + line);
      return seen ? logits[line][block * per_block + offset] : -CUDART_INF_F;
    };
    float max = -CUDART_INF_F;
    for (int offset = 0; offset < per_block; ++offset) max = fmaxf(max, logit(offset));
    const float shift = max == -CUDART_INF_F ? 0.0F : max;
    float sum = 0;
    for (int offset = 0; offset < per_block; ++offset) sum += exp2f(logit(offset) - shift);
    params.block_lse[(item_in_launch * num_rows + row_in_launch + line) * padded + key] =
        shift + log2f(sum);
  }
}

}  // namespace

cudaError_t launch_score_simple(const ScoreParams& params, cudaStream_t stream) {
  if (params.dtype != ScoreDtype::kBf16) return cudaErrorInvalidValue;
  if (params.num_queries == 0 || params.num_items == 0) return cudaSuccess;
  const int per_block = 128 / params.stride;
  const int num_rows = params.num_queries * per_block;
  const int num_columns = (params.num_scored + 7) / 8 * 8 * per_block;
  const dim3 grid(static_cast<unsigned>((num_columns + kSide - 1) / kSide),
                  static_cast<unsigned>((num_rows + kSide - 1) / kSide),
                  static_cast<unsigned>(params.num_items));
  score_simple_kernel<<<grid, kThreads, 0, stream>>>(params);
  return cudaGetLastError();
}

}  // namespace reel::attention::kernels
