// What a VAE layer does between two convolutions, on a GPU: statistics, normalisation, activation,
// padding, up-sampling and addition in as few passes over memory as they need. Everything is
// computed in fp32 and rounded once. Border of the CUDA code: no LibTorch here.
// Activations are channels last, [B, T, h, w, C] in memory; B batch, C channels, T h w the grid at
// a layer's resolution (docs/SHAPES.md), G groups of channels.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace reel::vae::kernels {

enum class Dtype { kBf16, kFp16 };

/// C must be a multiple of it: 16 bytes.
inline constexpr int32_t kChannelPack = 8;
inline constexpr int32_t kMaxChannels = 2048;

struct Grid {
  int32_t batch, frames, height, width, channels;
};

/// Sums of the pieces that launch_group_sums cuts an item's pixels into.
inline constexpr int32_t kMaxPieces = 1024;

/// How many pieces there are.
int32_t num_pieces(const Grid& grid);

/// Group normalisation of x + input_bias, as one multiplication and addition a channel:
/// scale = weight / sqrt(variance + epsilon), shift = bias + (input_bias - mean) * scale. Sums run
/// in a fixed order: two runs agree in every bit. C / G is a multiple of 4.
struct GroupNormParams {
  const void* x;
  Grid grid;
  const void* input_bias;  // [C], what the convolution before left out; nullptr: 0
  const void* weight;      // [C]
  const void* bias;        // [C]
  float* sums;             // [B, num_pieces, C / 4, 2], scratch
  float* scale;            // [B, C]
  float* shift;            // [B, C]
  int32_t num_groups;      // G
  float epsilon;
  Dtype dtype;  // of x, input_bias, weight and bias
};

cudaError_t launch_group_norm(const GroupNormParams& params, cudaStream_t stream);

/// out = up-sampled x, or silu(x * scale + shift) if scale is there, with its border repeated.
/// Up-sampling repeats each sample `space` times in rows and columns and `time` times in frames,
/// the first frame once (spec/hunyuanvideo.md 5.2); it does not go with scale.
struct PadParams {
  const void* x;
  void* out;  // [B, T' + front, h' + top + bottom, w' + left + right, C], T' h' w' up-sampled
  Grid grid;  // of x
  const float* scale;   // [B, C] or nullptr
  const float* shift;   // [B, C] or nullptr
  int32_t time, space;  // 1 or 2
  int32_t front, top, bottom, left, right;
  Dtype dtype;  // of x and out
};

cudaError_t launch_pad(const PadParams& params, cudaStream_t stream);

/// out[b, t * time + frame, y * 2 + row, x * 2 + column] = x[b, t, y, x] + bias.
struct SpreadParams {
  const void* x;
  const void* bias;  // [C]
  void* out;         // [B, out_frames, 2 h, 2 w, C]
  Grid grid;         // of x
  int32_t out_frames;
  int32_t time;  // 1 or 2
  int32_t frame, row, column;
  Dtype dtype;  // of all three
};

cudaError_t launch_spread(const SpreadParams& params, cudaStream_t stream);

/// x += bias + residual, in place.
struct AddParams {
  void* x;               // [P, C]
  const void* bias;      // [C]
  const void* residual;  // [P, C] or nullptr
  int64_t num_pixels;    // P = B T h w
  int32_t channels;
  Dtype dtype;  // of all three
};

cudaError_t launch_add(const AddParams& params, cudaStream_t stream);

}  // namespace reel::vae::kernels
