#include "attention/kernels/quantise.h"

#include <cuda_bf16.h>
#include <cuda_fp8.h>
#include <math_constants.h>

#include <algorithm>

namespace reel::attention::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 16;  // elements of one token at a time

struct Sixteen {
  float values[kPerThread];
};

__device__ Sixteen load(const QuantiseParams& params, int item, int64_t index) {
  const int per_token = params.head_dim / kPerThread;
  const auto* data = static_cast<const __nv_bfloat16*>(params.from.data) +
                     item / params.num_heads * params.from.batch_stride +
                     item % params.num_heads * params.from.head_stride +
                     index / per_token * params.from.token_stride + index % per_token * kPerThread;
  uint4 words[2];
  words[0] = reinterpret_cast<const uint4*>(data)[0];
  words[1] = reinterpret_cast<const uint4*>(data)[1];
  Sixteen result;
  const auto* pairs = reinterpret_cast<const __nv_bfloat162*>(words);
#pragma unroll
  for (int i = 0; i < kPerThread / 2; ++i) {
    const float2 pair = __bfloat1622float2(pairs[i]);
    result.values[i * 2] = pair.x;
    result.values[i * 2 + 1] = pair.y;
  }
  return result;
}

__device__ int64_t num_pieces(const QuantiseParams& params) {
  return int64_t{params.num_tokens} * (params.head_dim / kPerThread);
}

// Magnitudes order like their bits, and NaN above all.
__global__ __launch_bounds__(kThreads) void magnitude_kernel(const QuantiseParams params) {
  const int item = static_cast<int>(blockIdx.y);
  unsigned largest = 0;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < num_pieces(params);
       i += int64_t{gridDim.x} * kThreads) {
    const Sixteen piece = load(params, item, i);
#pragma unroll
    for (const float value : piece.values) {
      largest = max(largest, __float_as_uint(value) & 0x7fffffffU);
    }
  }
  largest = __reduce_max_sync(0xffffffffU, largest);
  if (threadIdx.x % 32 == 0) {
    atomicMax(reinterpret_cast<unsigned*>(params.magnitude + item), largest);
  }
}

__global__ __launch_bounds__(kThreads) void quantise_kernel(const QuantiseParams params) {
  const int item = static_cast<int>(blockIdx.y);
  const float magnitude = params.magnitude[item];
  const float scale = !isfinite(magnitude) ? CUDART_NAN_F
                      : magnitude > 0      ? kLargestE4m3 / magnitude
                                           : 0.0F;
  auto* to = reinterpret_cast<uint4*>(params.to) + int64_t{item} * num_pieces(params);
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < num_pieces(params);
       i += int64_t{gridDim.x} * kThreads) {
    const Sixteen piece = load(params, item, i);
    alignas(16) __nv_fp8x2_storage_t pairs[kPerThread / 2];
#pragma unroll
    for (int j = 0; j < kPerThread / 2; ++j) {
      pairs[j] = __nv_cvt_float2_to_fp8x2(
          make_float2(piece.values[j * 2] * scale, piece.values[j * 2 + 1] * scale), __NV_SATFINITE,
          __NV_E4M3);
    }
    to[i] = *reinterpret_cast<const uint4*>(pairs);
  }
}

}  // namespace

cudaError_t launch_quantise(const QuantiseParams& params, cudaStream_t stream) {
  if (params.head_dim % kPerThread != 0) return cudaErrorInvalidValue;
  if (params.num_tokens == 0 || params.num_items == 0) return cudaSuccess;
  constexpr int64_t kPiecesPerThread = 8;
  const int64_t pieces = int64_t{params.num_tokens} * (params.head_dim / kPerThread);
  const int64_t blocks = (pieces + kThreads * kPiecesPerThread - 1) / (kThreads * kPiecesPerThread);
  const dim3 grid(static_cast<unsigned>(blocks), static_cast<unsigned>(params.num_items));
  magnitude_kernel<<<grid, kThreads, 0, stream>>>(params);
  quantise_kernel<<<grid, kThreads, 0, stream>>>(params);
  return cudaGetLastError();
}

}  // namespace reel::attention::kernels
