#include "dit/elementwise_cpu.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "dit/elementwise.h"

namespace reel::dit::cpu {
namespace {

// Sums are kept in independent lanes: the compiler may then use vector registers without being
// allowed to reorder additions, and rounding errors stay smaller than in one running sum.
constexpr int64_t kLanes = 16;

// Rows a thread takes at a time at least; below, starting a thread costs more than the work.
constexpr int64_t kGrainElements = 16384;

template <typename Term>
float sum(int64_t count, Term term) {
  std::array<float, kLanes> lanes{};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane)
      lanes[static_cast<size_t>(lane)] += term(i + lane);
  }
  for (; i < count; ++i) lanes[0] += term(i);
  float total = 0.0F;
  for (const float lane : lanes) total += lane;
  return total;
}

int64_t grain_rows(int64_t row_elements) {
  return std::max<int64_t>(1, kGrainElements / row_elements);
}

// e^x within 2 units in the last place for |x| <= kMaxExponent, in steps that vectorise.
constexpr float kMaxExponent = 87.0F;  // beyond, the result would leave the normal numbers

float bounded_exp(float x) {
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693359375F;  // few bits, so that n * kLn2High is exact
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * kLog2E + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;  // |r| <= ln(2) / 2
  float series = 1.0F / 5040;
  series = series * r + 1.0F / 720;
  series = series * r + 1.0F / 120;
  series = series * r + 1.0F / 24;
  series = series * r + 1.0F / 6;
  series = series * r + 0.5F;
  series = series * r + 1.0F;
  series = series * r + 1.0F;
  constexpr uint32_t kBias = 127;
  constexpr int kMantissaBits = 23;
  // n from the low bits of kRound + n, not by a conversion, which NaN would make undefined
  const auto power =
      std::bit_cast<float>((std::bit_cast<uint32_t>(shifted) + kBias) << kMantissaBits);
  return series * power;
}

// 0.5 x (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x / (1 + e^(-2u)).
void bias_gelu_row(float* x, const float* bias, int64_t width) {
  constexpr float kMinusTwoRootTwoOverPi = -1.59576912F;
  constexpr float kCubic = 0.044715F;
  constexpr int64_t kPiece = 256;
  std::array<float, kPiece> exponents;
  for (int64_t begin = 0; begin < width; begin += kPiece) {
    const int64_t count = std::min(kPiece, width - begin);
    float* values = x + begin;
    // Two loops, because the compiler turns bounds and exponential in one into branches. A NaN is
    // lost in the exponent, but not in the quotient.
    for (int64_t i = 0; i < count; ++i) {
      const float value = values[i] + bias[begin + i];
      const float exponent = kMinusTwoRootTwoOverPi * (value + kCubic * value * value * value);
      values[i] = value;
      exponents[static_cast<size_t>(i)] = std::min(std::max(exponent, -kMaxExponent), kMaxExponent);
    }
    for (int64_t i = 0; i < count; ++i) {
      values[i] /= 1.0F + bounded_exp(exponents[static_cast<size_t>(i)]);
    }
  }
}

void norm_modulate_row(const float* x, const float* shift, const float* scale, float* out,
                       int64_t width) {
  const auto count = static_cast<float>(width);
  const float mean = sum(width, [x](int64_t i) { return x[i]; }) / count;
  const float variance =
      sum(width, [x, mean](int64_t i) { return (x[i] - mean) * (x[i] - mean); }) / count;
  const float inverse = 1.0F / std::sqrt(variance + static_cast<float>(kNormEpsilon));
  for (int64_t i = 0; i < width; ++i) {
    out[i] = (x[i] - mean) * inverse * (1.0F + scale[i]) + shift[i];
  }
}

void norm_head(float* x, const float* weight, int64_t head_dim) {
  const float squares = sum(head_dim, [x](int64_t i) { return x[i] * x[i]; });
  const float inverse =
      1.0F / std::sqrt(squares / static_cast<float>(head_dim) + static_cast<float>(kNormEpsilon));
  for (int64_t i = 0; i < head_dim; ++i) x[i] = x[i] * inverse * weight[i];
}

void rotate_head(float* x, const float* cos, const float* sin, int64_t num_pairs) {
  for (int64_t j = 0; j < num_pairs; ++j) {
    const float even = x[2 * j];
    const float odd = x[2 * j + 1];
    x[2 * j] = even * cos[j] - odd * sin[j];
    x[2 * j + 1] = odd * cos[j] + even * sin[j];
  }
}

}  // namespace

bool supports(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat;
}

void layer_norm_modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         at::Tensor& out) {
  const int64_t width = x.size(1);
  const int64_t x_stride = x.stride(0);
  const int64_t out_stride = out.stride(0);
  const float* x_data = x.const_data_ptr<float>();
  const float* shift_data = shift.const_data_ptr<float>();
  const float* scale_data = scale.const_data_ptr<float>();
  float* out_data = out.mutable_data_ptr<float>();
  at::parallel_for(0, x.size(0), grain_rows(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      norm_modulate_row(x_data + row * x_stride, shift_data, scale_data,
                        out_data + row * out_stride, width);
    }
  });
}

void add_gated_(at::Tensor& x, const at::Tensor& y, const at::Tensor& bias,
                const at::Tensor& gate) {
  const int64_t width = x.size(1);
  const int64_t x_stride = x.stride(0);
  const int64_t y_stride = y.stride(0);
  const float* y_data = y.const_data_ptr<float>();
  const float* bias_data = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  const float* gate_data = gate.const_data_ptr<float>();
  float* x_data = x.mutable_data_ptr<float>();
  at::parallel_for(0, x.size(0), grain_rows(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* x_row = x_data + row * x_stride;
      const float* y_row = y_data + row * y_stride;
      if (bias_data == nullptr) {
        for (int64_t i = 0; i < width; ++i) x_row[i] += gate_data[i] * y_row[i];
      } else {
        for (int64_t i = 0; i < width; ++i) x_row[i] += gate_data[i] * (y_row[i] + bias_data[i]);
      }
    }
  });
}

void bias_gelu_(at::Tensor& x, const at::Tensor& bias) {
  const int64_t width = x.size(1);
  const int64_t stride = x.stride(0);
  const float* bias_data = bias.const_data_ptr<float>();
  float* x_data = x.mutable_data_ptr<float>();
  at::parallel_for(0, x.size(0), grain_rows(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      bias_gelu_row(x_data + row * stride, bias_data, width);
    }
  });
}

void qk_norm_rope_(at::Tensor& x, const at::Tensor& weight, const Rope* rope) {
  const int64_t num_heads = x.size(1);
  const int64_t head_dim = x.size(2);
  const int64_t num_pairs = head_dim / 2;
  const int64_t num_rotated = rope == nullptr ? 0 : rope->num_tokens();
  const float* cos = rope == nullptr ? nullptr : rope->cos.const_data_ptr<float>();
  const float* sin = rope == nullptr ? nullptr : rope->sin.const_data_ptr<float>();
  const float* weight_data = weight.const_data_ptr<float>();
  const int64_t token_stride = x.stride(0);
  const int64_t head_stride = x.stride(1);
  float* x_data = x.mutable_data_ptr<float>();
  at::parallel_for(0, x.size(0), grain_rows(num_heads * head_dim), [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; ++token) {
      for (int64_t head = 0; head < num_heads; ++head) {
        float* values = x_data + token * token_stride + head * head_stride;
        norm_head(values, weight_data, head_dim);
        if (token >= num_rotated) continue;
        rotate_head(values, cos + token * num_pairs, sin + token * num_pairs, num_pairs);
      }
    }
  });
}

}  // namespace reel::dit::cpu
