// Queries or keys as e4m3, for scoring only. Border of the CUDA code: no LibTorch here.
// Letters (docs/SHAPES.md): B batch, A heads, D head dim; I = B * A items.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "attention/kernels/score.h"

namespace reel::attention::kernels {

/// Each item is divided by its largest magnitude and multiplied by the largest e4m3 number, so that
/// nothing overflows. An item with a value that is not finite becomes NaN.
struct QuantiseParams {
  ScoredTokens from;   // bf16
  uint8_t* to;         // [I, num_tokens, D] e4m3
  float* magnitude;    // [I], its largest |value|; zeros at first
  int32_t num_heads;   // A
  int32_t num_items;   // I; item i is head i % A of batch item i / A
  int32_t num_tokens;  // that are read and written, from the first on
  int32_t head_dim;    // D: a multiple of 16
};

inline constexpr float kLargestE4m3 = 448.0F;

cudaError_t launch_quantise(const QuantiseParams& params, cudaStream_t stream);

}  // namespace reel::attention::kernels
