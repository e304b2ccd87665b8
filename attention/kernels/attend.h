// Attention over listed key blocks, or over all of them. Border of the CUDA code: no LibTorch here.
// Letters (docs/SHAPES.md): B batch, S joint tokens, A heads, D head dim, n blocks of 128 tokens.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace reel::attention::kernels {

enum class AttendDtype { kBf16, kFp16 };

/// One of q, k, v or out: [B, S, A, D], strides in elements, D contiguous. Data and strides are
/// multiples of 16 bytes.
struct AttendTensor {
  void* data;
  int64_t batch_stride;
  int64_t token_stride;
  int64_t head_stride;
};

/// All pointers are on the device. Item i is head i % A of batch item i / A.
struct AttendParams {
  AttendTensor q, k, v;
  AttendTensor out;
  float* lse;             // [B, A, S], natural log; nullptr if nobody asks
  const uint16_t* keys;   // [B * A, n, n], ascending; nullptr: every visible block
  const int32_t* counts;  // [B * A, n], how many of `keys` each query block attends to
  int32_t* next_tile;     // one number of scratch memory, which the launch itself clears
  float scale;            // of the logits: 1 / sqrt(D)
  AttendDtype dtype;
  int32_t num_batches;  // B
  int32_t num_tokens;   // S
  int32_t num_heads;    // A
  int32_t head_dim;     // D: 64 or 128
  bool causal;          // a query sees itself and earlier tokens; lists name no later blocks
};

/// Which kernel runs, and how it works; the results differ in rounding at most. The last two run
/// on compute capability 8.0 and later, the others on 9.0 alone.
enum class AttendVariant {
  kSimple,      ///< every product is waited for before the softmax: the one to compare with
  kOverlap,     ///< the next logits and the last values are multiplied during the softmax
  kPingPong,    ///< as kOverlap, and the two warpgroups issue products in turn
  kLazy,        ///< as kPingPong, and sums are rescaled only if a maximum grew
  kThreeStage,  ///< as kLazy, with three stages of keys and values
  kRelaxed,     ///< as kLazy, but a maximum may lag by 2^8 before sums are rescaled
  kMma,         ///< mma.sync and cp.async, eight warps of 16 queries
  kMmaWide,     ///< the same, four warps of 32 queries, which read keys and values half as often
};

/// Writes out and lse of every token. A query block without key blocks gives 0 and lse = -inf. NaN
/// or infinite logits make the rows NaN that see them, like dense attention; NaN in a value makes
/// NaN of every row that attends to its block. Deterministic: the same inputs give the same bits.
/// Does not synchronise. Compute capability 9.0 only.
cudaError_t launch_attend_sm90(const AttendParams& params, AttendVariant variant,
                               cudaStream_t stream);

/// The same contract for kMma and kMmaWide.
cudaError_t launch_attend_mma(const AttendParams& params, AttendVariant variant,
                              cudaStream_t stream);

}  // namespace reel::attention::kernels
