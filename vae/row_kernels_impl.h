// The inner loops of row_kernels.h, written once over a vector type `V`: V::Vector, V::kLanes,
// load, load_first, broadcast, multiply_add, add, store_first. Included by one source per
// instruction set. All of it is local to that source, and nothing of the standard library is
// called: a function shared between sources could be taken from the one that this machine cannot
// run.
#pragma once

#include <cstdint>

#include "vae/row_kernels.h"

namespace reel::vae {
namespace {

// kPixels x kVectors outputs, kept in registers over the whole reduction. A pixel's window is
// contiguous in each input row, so that the reduction is one matrix product whose left rows
// overlap.
template <typename V, int kPixels, int kVectors>
void conv_block(const ConvRow& row, int64_t pixel, int64_t vector) {
  using Vector = typename V::Vector;
  const int64_t depth = row.num_rows * row.run;
  const float* weights[kVectors];
  Vector sum[kPixels][kVectors];
  for (int v = 0; v < kVectors; ++v) {
    const int64_t channel = (vector + v) * V::kLanes;
    weights[v] =
        row.weight + channel / kChannelBlock * depth * kChannelBlock + channel % kChannelBlock;
    for (int p = 0; p < kPixels; ++p) sum[p][v] = V::load(row.bias + channel);
  }
  const int64_t step = row.in_step;
  for (int64_t i = 0; i < row.num_rows; ++i) {
    const float* window = row.rows[i] + pixel * step;
    const float* const windows[3] = {window, window + 4 * step, window + 8 * step};
#pragma GCC unroll 2
    for (int64_t k = 0; k < row.run; ++k) {
      Vector w[kVectors];
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) w[v] = V::load(weights[v] + k * kChannelBlock);
#pragma GCC unroll 16
      for (int p = 0; p < kPixels; ++p) {
        const Vector x = V::broadcast(windows[p / 4] + (p % 4) * step + k);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sum[p][v] = V::multiply_add(x, w[v], sum[p][v]);
      }
    }
    for (int v = 0; v < kVectors; ++v) weights[v] += row.run * kChannelBlock;
  }
  for (int p = 0; p < kPixels; ++p) {
    for (int v = 0; v < kVectors; ++v) {
      const int64_t channel = (vector + v) * V::kLanes;
      const int64_t left = row.out_channels - channel;
      const int64_t count = left < V::kLanes ? left : V::kLanes;
      const int64_t place = (pixel + p) * row.out_step + channel;
      if (row.residual != nullptr) {
        sum[p][v] = V::add(sum[p][v], V::load_first(row.residual + place, count));
      }
      V::store_first(row.out + place, sum[p][v], count);
    }
  }
}

// All pixels for kVectors vectors of channels: large blocks first, then what is left.
template <typename V, int kPixels, int kVectors>
void conv_pixels(const ConvRow& row, int64_t vector) {
  int64_t pixel = 0;
  for (; pixel + kPixels <= row.num_pixels; pixel += kPixels) {
    conv_block<V, kPixels, kVectors>(row, pixel, vector);
  }
  for (; pixel + 4 <= row.num_pixels; pixel += 4) conv_block<V, 4, kVectors>(row, pixel, vector);
  for (; pixel < row.num_pixels; ++pixel) conv_block<V, 1, kVectors>(row, pixel, vector);
}

// Clamping keeps 2^n finite; silu(-87) is 0 in fp32 up to 1e-36.
inline float silu(float x) {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float low = x > 87.0F ? 87.0F : x;
  const float y = -(low < -87.0F ? -87.0F : low);
  const float shifted = y * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = y - n * kLn2High - n * kLn2Low;
  // Taylor's series of e^r for |r| <= ln(2) / 2, to the 7th power: below one unit in the last
  // place.
  float p = 1.0F / 5040.0F;
  p = p * r + 1.0F / 720.0F;
  p = p * r + 1.0F / 120.0F;
  p = p * r + 1.0F / 24.0F;
  p = p * r + 1.0F / 6.0F;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const int32_t exponent = __builtin_bit_cast(int32_t, shifted) << 23;
  const float exp_minus_x = __builtin_bit_cast(float, __builtin_bit_cast(int32_t, p) + exponent);
  return x / (1.0F + exp_minus_x);
}

inline void norm_silu_row(const NormSiluRow& row) {
  for (int64_t pixel = 0; pixel < row.num_pixels; ++pixel) {
    const float* __restrict x = row.x + pixel * row.channels;
    float* __restrict out = row.out + pixel * row.channels;
    const float* __restrict scale = row.scale;
    const float* __restrict shift = row.shift;
    for (int64_t c = 0; c < row.channels; ++c) out[c] = silu(x[c] * scale[c] + shift[c]);
  }
}

}  // namespace
}  // namespace reel::vae
