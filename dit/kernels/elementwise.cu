#include "dit/kernels/elementwise.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace reel::dit::kernels {
namespace {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffU;

__device__ float to_float(__nv_bfloat16 x) {
  return __bfloat162float(x);
}

__device__ float to_float(__half x) {
  return __half2float(x);
}

template <typename T>
__device__ T rounded(float x);

template <>
__device__ __nv_bfloat16 rounded<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

template <>
__device__ __half rounded<__half>(float x) {
  return __float2half_rn(x);
}

// kCount elements that one load or store moves.
template <typename T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T values[kCount];
};

template <int kCount, typename T>
__device__ Pack<T, kCount> load(const T* from) {
  return *reinterpret_cast<const Pack<T, kCount>*>(from);
}

template <typename T, int kCount>
__device__ void store(T* to, const Pack<T, kCount>& pack) {
  *reinterpret_cast<Pack<T, kCount>*>(to) = pack;
}

// The same sum in every lane.
__device__ float warp_sum(float x) {
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    x += __shfl_xor_sync(kAllLanes, x, offset);
  }
  return x;
}

constexpr int kNormThreads = 128;
constexpr int kNormWarps = kNormThreads / kWarp;
constexpr int kRowPack = 8;  // 16 bytes
constexpr int kMaxPacks = kMaxWidth / (kNormThreads * kRowPack);

// The same sum in every thread; `sums` must not be in use.
__device__ float block_sum(float x, float* sums) {
  x = warp_sum(x);
  if (threadIdx.x % kWarp == 0) sums[threadIdx.x / kWarp] = x;
  __syncthreads();
  float total = 0;
  for (int warp = 0; warp < kNormWarps; ++warp) total += sums[warp];
  return total;
}

// One CTA a row, which stays in registers.
template <typename T>
__global__ __launch_bounds__(kNormThreads) void layer_norm_modulate_kernel(LayerNormParams params) {
  __shared__ float sums[2][kNormWarps];
  const int64_t row = blockIdx.x;
  const T* x = static_cast<const T*>(params.x) + row * params.x_stride;
  T* out = static_cast<T*>(params.out) + row * params.out_stride;
  const auto column = [](int pack) {
    return (pack * kNormThreads + static_cast<int>(threadIdx.x)) * kRowPack;
  };
  const auto width = static_cast<float>(params.width);
  float values[kMaxPacks][kRowPack];
  float sum = 0;
#pragma unroll
  for (int pack = 0; pack < kMaxPacks; ++pack) {
    if (column(pack) >= params.width) continue;
    const auto loaded = load<kRowPack>(x + column(pack));
#pragma unroll
    for (int i = 0; i < kRowPack; ++i) {
      values[pack][i] = to_float(loaded.values[i]);
      sum += values[pack][i];
    }
  }
  const float mean = block_sum(sum, sums[0]) / width;
  float squares = 0;
#pragma unroll
  for (int pack = 0; pack < kMaxPacks; ++pack) {
    if (column(pack) >= params.width) continue;
#pragma unroll
    for (int i = 0; i < kRowPack; ++i) {
      values[pack][i] -= mean;
      squares += values[pack][i] * values[pack][i];
    }
  }
  const float inverse = rsqrtf(block_sum(squares, sums[1]) / width + params.epsilon);
#pragma unroll
  for (int pack = 0; pack < kMaxPacks; ++pack) {
    if (column(pack) >= params.width) continue;
    const auto scale = load<kRowPack>(static_cast<const T*>(params.scale) + column(pack));
    const auto shift = load<kRowPack>(static_cast<const T*>(params.shift) + column(pack));
    Pack<T, kRowPack> result;
#pragma unroll
    for (int i = 0; i < kRowPack; ++i) {
      result.values[i] = rounded<T>(values[pack][i] * inverse * (to_float(scale.values[i]) + 1.0F) +
                                    to_float(shift.values[i]));
    }
    store(out + column(pack), result);
  }
}

constexpr int kHeadThreads = 256;
constexpr int kHeadWarps = kHeadThreads / kWarp;
constexpr int kHeadsAtOnce = 4;  // whose loads are under way together

// All heads of one token. `heads` points at the lane's elements of the first.
template <typename T, int kPerLane>
__device__ __forceinline__ void norm_and_turn(const HeadNormParams& params, T* heads,
                                              const Pack<T, kPerLane>& weight, const float* cos,
                                              const float* sin) {
  constexpr int kPairs = kPerLane / 2;
  constexpr int kHeadDim = kPerLane * kWarp;
  for (int first = 0; first < params.num_heads; first += kHeadsAtOnce) {
    Pack<T, kPerLane> packs[kHeadsAtOnce];
#pragma unroll
    for (int i = 0; i < kHeadsAtOnce; ++i) {
      if (first + i >= params.num_heads) continue;
      packs[i] = load<kPerLane>(heads + (first + i) * params.head_stride);
    }
#pragma unroll
    for (int i = 0; i < kHeadsAtOnce; ++i) {
      if (first + i >= params.num_heads) continue;
      float values[kPerLane];
      float squares = 0;
#pragma unroll
      for (int j = 0; j < kPerLane; ++j) {
        values[j] = to_float(packs[i].values[j]);
        squares += values[j] * values[j];
      }
      const float inverse = rsqrtf(warp_sum(squares) / kHeadDim + params.epsilon);
#pragma unroll
      for (int j = 0; j < kPerLane; ++j) values[j] *= inverse * to_float(weight.values[j]);
#pragma unroll
      for (int pair = 0; pair < kPairs; ++pair) {
        const float even = values[2 * pair];
        const float odd = values[2 * pair + 1];
        packs[i].values[2 * pair] = rounded<T>(even * cos[pair] - odd * sin[pair]);
        packs[i].values[2 * pair + 1] = rounded<T>(odd * cos[pair] + even * sin[pair]);
      }
      store(heads + (first + i) * params.head_stride, packs[i]);
    }
  }
}

// One warp a token: all of its heads turn by the same angles. A lane holds kPerLane of D elements.
template <typename T, int kPerLane>
__global__ __launch_bounds__(kHeadThreads) void head_norm_rope_kernel(HeadNormParams params) {
  constexpr int kPairs = kPerLane / 2;
  constexpr int kHeadDim = kPerLane * kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t token =
      static_cast<int64_t>(blockIdx.x) * kHeadWarps + static_cast<int>(threadIdx.x) / kWarp;
  if (token >= params.num_tokens) return;
  float cos[kPairs];
  float sin[kPairs];
#pragma unroll
  for (int pair = 0; pair < kPairs; ++pair) {
    const int64_t angle = token * (kHeadDim / 2) + lane * kPairs + pair;
    const bool rotated = token < params.num_rotated;
    cos[pair] = rotated ? params.cos[angle] : 1.0F;
    sin[pair] = rotated ? params.sin[angle] : 0.0F;
  }
#pragma unroll
  for (int part = 0; part < 2; ++part) {
    if (params.x[part] == nullptr) continue;
    const auto weight =
        load<kPerLane>(static_cast<const T*>(params.weight[part]) + lane * kPerLane);
    T* heads = static_cast<T*>(params.x[part]) + token * params.token_stride + lane * kPerLane;
    norm_and_turn<T, kPerLane>(params, heads, weight, cos, sin);
  }
}

// (1 + tanh(u)) / 2 = 1 / (1 + exp(-2 u)).
__device__ float gelu(float x) {
  constexpr float kTwiceRoot = 1.5957691216057308F;  // 2 sqrt(2 / pi)
  constexpr float kCubic = 0.044715F;
  return x / (1.0F + __expf(-kTwiceRoot * (x + kCubic * x * x * x)));
}

constexpr int kGeluThreads = 256;

// One CTA a row.
template <typename T>
__global__ __launch_bounds__(kGeluThreads) void bias_gelu_kernel(BiasGeluParams params) {
  T* x = static_cast<T*>(params.x) + static_cast<int64_t>(blockIdx.x) * params.stride;
  const T* bias = static_cast<const T*>(params.bias);
  for (int column = static_cast<int>(threadIdx.x) * kRowPack; column < params.num_columns;
       column += kGeluThreads * kRowPack) {
    auto pack = load<kRowPack>(x + column);
    const auto added = load<kRowPack>(bias + column);
#pragma unroll
    for (int i = 0; i < kRowPack; ++i) {
      pack.values[i] = rounded<T>(gelu(to_float(pack.values[i]) + to_float(added.values[i])));
    }
    store(x + column, pack);
  }
}

template <typename T>
cudaError_t launch_heads(const HeadNormParams& params, cudaStream_t stream) {
  const auto ctas = static_cast<unsigned>((params.num_tokens + kHeadWarps - 1) / kHeadWarps);
  switch (params.head_dim) {
    case 64:
      head_norm_rope_kernel<T, 2><<<ctas, kHeadThreads, 0, stream>>>(params);
      return cudaGetLastError();
    case 128:
      head_norm_rope_kernel<T, 4><<<ctas, kHeadThreads, 0, stream>>>(params);
      return cudaGetLastError();
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace

cudaError_t launch_layer_norm_modulate(const LayerNormParams& params, cudaStream_t stream) {
  if (params.width > kMaxWidth || params.width % kRowPack != 0) return cudaErrorInvalidValue;
  if (params.num_rows == 0) return cudaSuccess;
  const auto ctas = static_cast<unsigned>(params.num_rows);
  if (params.dtype == Dtype::kBf16) {
    layer_norm_modulate_kernel<__nv_bfloat16><<<ctas, kNormThreads, 0, stream>>>(params);
  } else {
    layer_norm_modulate_kernel<__half><<<ctas, kNormThreads, 0, stream>>>(params);
  }
  return cudaGetLastError();
}

cudaError_t launch_bias_gelu(const BiasGeluParams& params, cudaStream_t stream) {
  if (params.num_columns % kRowPack != 0) return cudaErrorInvalidValue;
  if (params.num_rows == 0) return cudaSuccess;
  const auto ctas = static_cast<unsigned>(params.num_rows);
  if (params.dtype == Dtype::kBf16) {
    bias_gelu_kernel<__nv_bfloat16><<<ctas, kGeluThreads, 0, stream>>>(params);
  } else {
    bias_gelu_kernel<__half><<<ctas, kGeluThreads, 0, stream>>>(params);
  }
  return cudaGetLastError();
}

cudaError_t launch_head_norm_rope(const HeadNormParams& params, cudaStream_t stream) {
  if (params.num_tokens == 0 || params.num_heads == 0) return cudaSuccess;
  return params.dtype == Dtype::kBf16 ? launch_heads<__nv_bfloat16>(params, stream)
                                      : launch_heads<__half>(params, stream);
}

}  // namespace reel::dit::kernels
