// The parts of attention between the two products: online softmax of logit fragments, packing of
// weights, and the store of finished rows. Fragments: ptx/wgmma_f16.cuh, and those of
// ptx/mma_sync.cuh lie the same; a thread has two rows,
// `upper` and the one 8 below it, `lower`; four neighbouring threads share them.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <limits>
#include <type_traits>

namespace reel::attention::kernels::attend {

inline constexpr float kNegativeInfinity = -std::numeric_limits<float>::infinity();

/// When sums are multiplied because a row's maximum grew.
enum class Rescale {
  kAlways,    ///< with every block
  kIfGrown,   ///< if a maximum of the warp grew: the same bits
  kIfDouble8  ///< if one grew by more than a factor of 2^8: weights may exceed 1
};

/// What is left to do for a thread's two rows when all blocks are through.
struct RowEnds {
  float scale_upper, scale_lower;  // of the sums
  float lse_upper, lse_lower;
};

__device__ inline float exp2_approx(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

__device__ inline float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(~0U, x, 1));
  return fmaxf(x, __shfl_xor_sync(~0U, x, 2));
}

__device__ inline float quad_sum(float x) {
  x += __shfl_xor_sync(~0U, x, 1);
  return x + __shfl_xor_sync(~0U, x, 2);
}

/// Running maximum and sum of a thread's two rows.
template <Rescale kRescale>
class Softmax {
 public:
  __device__ explicit Softmax(float scale_log2) : scale_log2_(scale_log2) {}

  /// Turns logits into weights relative to the new maximum, and adds them up.
  template <int kCount>
  __device__ void weigh(float (&logits)[kCount]) {
    factor_[0] = weigh_row<0>(logits);
    factor_[1] = weigh_row<1>(logits);
  }

  /// Brings sums over earlier blocks to the maximum of the last weigh().
  template <int kCount>
  __device__ void rescale(float (&sums)[kCount]) const {
    if constexpr (kRescale != Rescale::kAlways) {
      if (__all_sync(~0U, factor_[0] == 1.0F && factor_[1] == 1.0F)) return;
    }
#pragma unroll
    for (int i = 0; i < kCount; i += 4) {
      sums[i] *= factor_[0];
      sums[i + 1] *= factor_[0];
      sums[i + 2] *= factor_[1];
      sums[i + 3] *= factor_[1];
    }
  }

  __device__ RowEnds finish() const {
    RowEnds ends;
    finish_row(0, ends.scale_upper, ends.lse_upper);
    finish_row(1, ends.scale_lower, ends.lse_lower);
    return ends;
  }

 private:
  template <int kLower, int kCount>
  __device__ float weigh_row(float (&logits)[kCount]) {
    constexpr int kFirst = 2 * kLower;
    float larger[2] = {logits[kFirst], logits[kFirst + 1]};
#pragma unroll
    for (int i = 1; i < kCount / 4; ++i) {
      larger[0] = fmaxf(larger[0], logits[4 * i + kFirst]);
      larger[1] = fmaxf(larger[1], logits[4 * i + kFirst + 1]);
    }
    const float before = max_[kLower];
    const float seen = fmaxf(before, quad_max(fmaxf(larger[0], larger[1])));
    float now = seen;
    if constexpr (kRescale == Rescale::kIfDouble8) {
      if ((seen - before) * scale_log2_ <= 8.0F) now = before;
    }
    max_[kLower] = now;
    // a row of -inf alone keeps weights of 0
    const float shift = now == kNegativeInfinity ? 0.0F : __fmul_rn(now, scale_log2_);
    // rounded like the shift before, so that the factor is exactly 1 if the maximum stays
    const float factor = exp2_approx(__fsub_rn(__fmul_rn(before, scale_log2_), shift));
    float sum[2] = {0.0F, 0.0F};
#pragma unroll
    for (int i = 0; i < kCount / 4; ++i) {
#pragma unroll
      for (int odd = 0; odd < 2; ++odd) {
        float& logit = logits[4 * i + kFirst + odd];
        logit = exp2_approx(fmaf(logit, scale_log2_, -shift));
        sum[odd] += logit;
      }
    }
    sum_[kLower] = fmaf(sum_[kLower], factor, sum[0] + sum[1]);
    return factor;
  }

  __device__ void finish_row(int row, float& scale, float& lse) const {
    constexpr float kLn2 = 0.693147180559945309F;
    const float sum = quad_sum(sum_[row]);
    const bool empty = sum == 0.0F;
    scale = empty ? 0.0F : 1.0F / sum;
    lse = empty ? kNegativeInfinity : (max_[row] * scale_log2_ + log2f(sum)) * kLn2;
  }

  float scale_log2_;
  float max_[2] = {kNegativeInfinity, kNegativeInfinity};  // of the unscaled logits
  float sum_[2] = {0.0F, 0.0F};                            // of this thread's columns
  float factor_[2] = {1.0F, 1.0F};
};

/// Rounds a pair; the first is the lower half.
template <typename Element>
__device__ inline uint32_t pack_pair(float first, float second) {
  uint32_t word;
  if constexpr (std::is_same_v<Element, __nv_bfloat16>) {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
  } else {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
  }
  return word;
}

/// A fragment of sums becomes A fragments of the next product.
template <typename Element>
__device__ inline void pack(const float (&weights)[64], uint32_t (&words)[32]) {
#pragma unroll
  for (int i = 0; i < 32; ++i) words[i] = pack_pair<Element>(weights[2 * i], weights[2 * i + 1]);
}

/// Four threads hold four words each of the same row, thread t the columns t of every group of four
/// words; afterwards thread t holds group t whole. Two exchanges with a neighbour.
__device__ inline void transpose_quad(uint32_t (&words)[4]) {
  const int lane = static_cast<int>(threadIdx.x % 4);
  const bool odd = (lane & 1) != 0;
#pragma unroll
  for (int i = 0; i < 4; i += 2) {
    const uint32_t sent = odd ? words[i] : words[i + 1];
    const uint32_t got = __shfl_xor_sync(~0U, sent, 1);
    words[i] = odd ? got : words[i];
    words[i + 1] = odd ? words[i + 1] : got;
  }
  const bool high = (lane & 2) != 0;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const uint32_t sent = high ? words[i] : words[i + 2];
    const uint32_t got = __shfl_xor_sync(~0U, sent, 2);
    words[i] = high ? got : words[i];
    words[i + 2] = high ? words[i + 2] : got;
  }
}

/// Scales, rounds and stores one row of the thread's two, 16 bytes a thread at a time.
template <typename Element, int kHeadDim>
__device__ inline void store_row(const float (&sums)[kHeadDim / 2], int lower, float scale,
                                 bool inside, Element* row) {
  const int lane = static_cast<int>(threadIdx.x % 4);
#pragma unroll
  for (int group = 0; group < kHeadDim / 32; ++group) {
    uint32_t words[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int at = (group * 4 + i) * 4 + 2 * lower;
      words[i] = pack_pair<Element>(sums[at] * scale, sums[at + 1] * scale);
    }
    transpose_quad(words);
    if (inside) {
      *reinterpret_cast<uint4*>(row + group * 32 + lane * 8) =
          make_uint4(words[0], words[1], words[2], words[3]);
    }
  }
}

}  // namespace reel::attention::kernels::attend
