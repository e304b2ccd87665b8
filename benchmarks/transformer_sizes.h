// The transformer that benchmarks load and run: HunyuanVideo's, but for its width and depth.
#pragma once

#include <cstdint>

#include "dit/config.h"

namespace reel::benchmarks {

/// `num_heads` of 128 channels; HunyuanVideo has 24, 20 double and 40 single blocks.
inline dit::Config transformer_config(int64_t num_heads, int64_t num_double_blocks,
                                      int64_t num_single_blocks) {
  constexpr int64_t kHeadDim = 128;
  return {.channels = 16,
          .num_heads = num_heads,
          .head_dim = kHeadDim,
          .num_double_blocks = num_double_blocks,
          .num_single_blocks = num_single_blocks,
          .num_refiner_blocks = 2,
          .mlp_width = num_heads * kHeadDim * 4,
          .patch_size_t = 1,
          .patch_size = 2,
          .embeds_guidance = true,
          .text_dim = 4096,
          .pooled_dim = 768,
          .rope_theta = 256.0,
          .rope_axes = {16, 56, 56}};
}

}  // namespace reel::benchmarks
