// Norms, modulation and rotation on a GPU in one pass each: read once, computed in fp32, rounded
// once. Border of the CUDA code: no LibTorch here.
// Letters (docs/SHAPES.md): S tokens, A heads, D head dim, N image tokens, M model width; R rows.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace reel::dit::kernels {

enum class Dtype { kBf16, kFp16 };

/// Largest M of launch_layer_norm_modulate, which wants multiples of 8.
inline constexpr int32_t kMaxWidth = 4096;

/// out = (x - mean) / sqrt(variance + epsilon) * (scale + 1) + shift over each row. All addresses
/// and strides are multiples of 16 bytes; out may be x.
struct LayerNormParams {
  const void* x;  // [R, M], rows x_stride elements apart
  void* out;      // [R, M], rows out_stride elements apart
  int64_t x_stride, out_stride;
  const void* shift;  // [M]
  const void* scale;  // [M]
  int64_t num_rows;   // R
  int32_t width;      // M
  float epsilon;
  Dtype dtype;  // of all four
};

cudaError_t launch_layer_norm_modulate(const LayerNormParams& params, cudaStream_t stream);

/// x = x / sqrt(mean(x^2) + epsilon) * weight over D, then the pairs (2j, 2j + 1) of the first
/// `num_rotated` tokens turn by the angle of column j. In place. Addresses and strides of x and
/// weight are multiples of 8 bytes.
struct HeadNormParams {
  void* x[2];  // [S, A, D] each, D contiguous; the second may be null
  int64_t token_stride, head_stride;
  const void* weight[2];  // [D] each
  const float* cos;       // [num_rotated, D / 2]
  const float* sin;       // [num_rotated, D / 2]
  int64_t num_tokens;     // S
  int64_t num_rotated;    // at most S; 0: cos and sin are not read
  int32_t num_heads;      // A
  int32_t head_dim;       // D: 64 or 128
  float epsilon;
  Dtype dtype;  // of x and weight
};

cudaError_t launch_head_norm_rope(const HeadNormParams& params, cudaStream_t stream);

/// x = gelu(x + bias) with the tanh approximation, in place. Addresses and strides are multiples of
/// 16 bytes, num_columns of 8.
struct BiasGeluParams {
  void* x;  // [R, num_columns], rows `stride` elements apart
  int64_t stride;
  const void* bias;  // [num_columns]
  int64_t num_rows;  // R
  int32_t num_columns;
  Dtype dtype;  // of both
};

cudaError_t launch_bias_gelu(const BiasGeluParams& params, cudaStream_t stream);

}  // namespace reel::dit::kernels
