// Strided antidiagonal scores of queries and keys, reduced to one number per strided row and key
// block. Border of the CUDA code: no LibTorch here.
// Letters (docs/SHAPES.md): B batch, S joint tokens, A heads, D head dim; m scored blocks of 128
// tokens, I = B * A items, s stride.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace reel::attention::kernels {

/// Queries or keys where they lie: [B, S, A, D] behind strides in elements, D contiguous, the
/// address and all strides multiples of 16 bytes. On the device.
struct ScoredTokens {
  const void* data;  // bf16 or e4m3
  int64_t batch_stride, token_stride, head_stride;
};

enum class ScoreDtype { kBf16, kE4m3 };

/// The strided logit of strided row r and column c is
/// sum over phases p < s of q[r s + s - 1 - p] . k[c s + p] * scale.
struct ScoreParams {
  ScoredTokens q, k;
  ScoreDtype dtype;
  /// Log2 of the sum of 2^logit over a key block's 128 / s columns; -inf where causal hides all of
  /// them, and it may be -inf where a score 126 above stands in the same row: [num_items,
  /// num_queries * 128 / s, padded], padded = m rounded up to 8, columns from m on -inf. Causal:
  /// columns of key blocks after the query block are left as they are.
  float* block_lse;
  float scale;  // log2(e) / (sqrt(D) s), times what undoes a quantisation but for magnitudes
  const float* q_magnitude;          // [I], by which every item's logits are multiplied; or nullptr
  const float* k_magnitude;          // [I], with q_magnitude
  int32_t num_batches, num_heads;    // B, A
  int32_t head_dim;                  // D: 64 or 128
  int32_t stride;                    // s: 4, 8 or 16
  int32_t num_scored;                // m
  int32_t first_item, num_items;     // of this launch; item i is head i % A of batch item i / A
  int32_t first_query, num_queries;  // query blocks of this launch
  bool causal;                       // column c is seen by row r if c <= r
};

/// How launch_score_sm90 walks the tiles; the defaults are the fastest found.
struct ScoreTuning {
  int cluster = 2;   ///< CTAs that share each key tile: 1 or 2
  bool skew = true;  ///< one warpgroup's epilogue under the other one's products
  int band = 8;      ///< cluster tiles of rows that stay while columns sweep
  /// e4m3 only: adds up the sums of every 128 products in fp32 registers, for Hopper's own sums of
  /// e4m3 keep 13 bits after the leading one (docs/kernels/score.md). With clusters of two.
  bool apart = false;
};

/// Any GPU, slow: plain fp32 arithmetic. bf16 only, any D.
cudaError_t launch_score_simple(const ScoreParams& params, cudaStream_t stream);

/// Compute capability 8.0 or later: mma.sync on tiles that cp.async gathers. bf16 only. Sums do not
/// depend on the launch's grouping.
cudaError_t launch_score_mma(const ScoreParams& params, cudaStream_t stream);

/// Compute capability 9.0: wgmma on tiles that TMA gathers. Sums do not depend on the launch's
/// grouping or tuning, but for ScoreTuning::apart.
cudaError_t launch_score_sm90(const ScoreParams& params, const ScoreTuning& tuning,
                              cudaStream_t stream);

}  // namespace reel::attention::kernels
