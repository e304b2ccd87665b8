// How a scalar (timestep, guidance) becomes a vector: sines and cosines, then a small MLP.
// Shape letters (docs/SHAPES.md): B batch.
#pragma once

#include <ATen/core/Tensor.h>

namespace reel::dit {

/// Features of a sinusoidal embedding.
inline constexpr int64_t kTimestepFeatures = 256;

/// Sinusoidal features [B, 256] fp32 of `x` [B] fp32, cosines first (spec/hunyuanvideo.md 1.3).
/// Values arrive on the scale 0..1000 (timesteps) or times 1000 (guidance).
at::Tensor sinusoid(const at::Tensor& x);

/// What a model of `dtype` embeds for guidance scale `guidance`: 1000 times it. In fp32 that is
/// exact; in half precision both factors and the product are rounded, as both published programs do
/// (6 becomes 6016 in bf16), because those are the values that the weights were made for.
double guidance_input(double guidance, at::ScalarType dtype);

}  // namespace reel::dit
