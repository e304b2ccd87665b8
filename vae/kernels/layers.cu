#include "vae/kernels/layers.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>

namespace reel::vae::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kQuad = 4;  // channels whose sums stay together

__host__ __device__ int64_t pixels_of(const Grid& grid) {  // of one item
  return int64_t{grid.frames} * grid.height * grid.width;
}

__device__ float2 to_float2(__nv_bfloat162 x) {
  return __bfloat1622float2(x);
}

__device__ float2 to_float2(__half2 x) {
  return __half22float2(x);
}

template <typename T>
struct Pair;

template <>
struct Pair<__nv_bfloat16> {
  using Type = __nv_bfloat162;
  __device__ static Type rounded(float a, float b) { return __floats2bfloat162_rn(a, b); }
};

template <>
struct Pair<__half> {
  using Type = __half2;
  __device__ static Type rounded(float a, float b) { return __floats2half2_rn(a, b); }
};

// Eight neighbouring channels.
struct Pack {
  float values[kChannelPack];
};

template <typename T>
__device__ Pack load(const T* from) {
  const uint4 words = *reinterpret_cast<const uint4*>(from);
  const auto* pairs = reinterpret_cast<const typename Pair<T>::Type*>(&words);
  Pack pack;
#pragma unroll
  for (int i = 0; i < kChannelPack / 2; ++i) {
    const float2 pair = to_float2(pairs[i]);
    pack.values[i * 2] = pair.x;
    pack.values[i * 2 + 1] = pair.y;
  }
  return pack;
}

template <typename T>
__device__ void store(T* to, const Pack& pack) {
  uint4 words;
  auto* pairs = reinterpret_cast<typename Pair<T>::Type*>(&words);
#pragma unroll
  for (int i = 0; i < kChannelPack / 2; ++i) {
    pairs[i] = Pair<T>::rounded(pack.values[i * 2], pack.values[i * 2 + 1]);
  }
  *reinterpret_cast<uint4*>(to) = words;
}

__device__ Pack load_floats(const float* from) {
  const float4 low = reinterpret_cast<const float4*>(from)[0];
  const float4 high = reinterpret_cast<const float4*>(from)[1];
  return {{low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w}};
}

__device__ float silu(float x) {
  return __fdividef(x, 1.0F + __expf(-x));
}

// Which channels a thread has, and which of the pixels that a CTA works on at a time: packs are the
// fast index, so that neighbouring threads read neighbouring addresses.
struct Lane {
  int pack, packs, pixel, pixels;

  __device__ explicit Lane(int channels)
      : pack(static_cast<int>(threadIdx.x) % (channels / kChannelPack)),
        packs(channels / kChannelPack),
        pixel(static_cast<int>(threadIdx.x) / packs),
        pixels(static_cast<int>(blockDim.x) / packs) {}
};

// Whole pixels: a thread keeps its channels.
unsigned threads_for(int channels) {
  const int packs = channels / kChannelPack;
  return static_cast<unsigned>(std::max(kThreads / packs, 1) * packs);
}

bool channels_fit(int channels) {
  return channels > 0 && channels % kChannelPack == 0 && channels <= kMaxChannels;
}

// Sums and sums of squares of each quad of channels over one piece of an item's pixels.
template <typename T>
__global__ void quad_sums_kernel(const GroupNormParams params, int64_t pixels_per_piece) {
  extern __shared__ float shared[];  // [pixels at a time, C / 4, 2]
  const Lane lane(params.grid.channels);
  const int64_t num_pixels = pixels_of(params.grid);
  const int64_t first = int64_t{blockIdx.x} * pixels_per_piece;
  const int64_t end = min(first + pixels_per_piece, num_pixels);
  const T* x = static_cast<const T*>(params.x) +
               int64_t{blockIdx.y} * num_pixels * params.grid.channels + lane.pack * kChannelPack;
  Pack bias = {};
  if (params.input_bias != nullptr) {
    bias = load(static_cast<const T*>(params.input_bias) + lane.pack * kChannelPack);
  }
  float sums[2] = {};
  float squares[2] = {};
#pragma unroll 4
  for (int64_t pixel = first + lane.pixel; pixel < end; pixel += lane.pixels) {
    const Pack pack = load(x + pixel * params.grid.channels);
#pragma unroll
    for (int i = 0; i < kChannelPack; ++i) {
      const float value = pack.values[i] + bias.values[i];
      sums[i / kQuad] += value;
      squares[i / kQuad] += value * value;
    }
  }
  const int quads = params.grid.channels / kQuad;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    float* mine = shared + (lane.pixel * quads + lane.pack * 2 + i) * 2;
    mine[0] = sums[i];
    mine[1] = squares[i];
  }
  __syncthreads();
  float* out = params.sums + (int64_t{blockIdx.y} * gridDim.x + blockIdx.x) * quads * 2;
  for (int i = static_cast<int>(threadIdx.x); i < quads * 2; i += static_cast<int>(blockDim.x)) {
    float sum = 0;
    for (int pixel = 0; pixel < lane.pixels; ++pixel) sum += shared[pixel * quads * 2 + i];
    out[i] = sum;
  }
}

// The same sum in every lane, always in the same order.
__device__ double warp_sum(double x) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffU, x, offset);
  return x;
}

// One warp a (group, item): from sums to what each channel is multiplied with and shifted by.
template <typename T>
__global__ void group_scale_kernel(const GroupNormParams params, int pieces) {
  const int group = static_cast<int>(blockIdx.x);
  const int item = static_cast<int>(blockIdx.y);
  const int lane = static_cast<int>(threadIdx.x);
  const int channels = params.grid.channels;
  const int quads = channels / kQuad;
  const int group_quads = quads / params.num_groups;
  const float* sums = params.sums + int64_t{item} * pieces * quads * 2;
  double sum = 0;
  double square = 0;
  for (int i = lane; i < pieces * group_quads; i += 32) {
    const int64_t at =
        (int64_t{i / group_quads} * quads + group * group_quads + i % group_quads) * 2;
    sum += sums[at];
    square += sums[at + 1];
  }
  sum = warp_sum(sum);
  square = warp_sum(square);
  const int group_channels = channels / params.num_groups;
  const double count = static_cast<double>(pixels_of(params.grid)) * group_channels;
  const double mean = sum / count;
  const double variance = fmax(square / count - mean * mean, 0.0);
  const auto deviation = static_cast<float>(1.0 / sqrt(variance + params.epsilon));
  for (int i = lane; i < group_channels; i += 32) {
    const int channel = group * group_channels + i;
    const float scale =
        static_cast<float>(static_cast<const T*>(params.weight)[channel]) * deviation;
    const float input_bias =
        params.input_bias == nullptr
            ? 0.0F
            : static_cast<float>(static_cast<const T*>(params.input_bias)[channel]);
    params.scale[item * channels + channel] = scale;
    params.shift[item * channels + channel] =
        static_cast<float>(static_cast<const T*>(params.bias)[channel]) +
        (input_bias - static_cast<float>(mean)) * scale;
  }
}

// The source of sample `at` of an axis of `size` samples, up-sampled by `factor`.
__device__ int source(int at, int size, int factor, bool first_once) {
  const int wide = first_once ? (size - 1) * factor + 1 : size * factor;
  const int inside = min(max(at, 0), wide - 1);
  if (factor == 1) return inside;
  return first_once ? (inside + 1) / 2 : inside / 2;
}

// One CTA a row of the output.
template <typename T, bool kNormalise>
__global__ void pad_kernel(const PadParams params) {
  const Grid& grid = params.grid;
  const Lane lane(grid.channels);
  const int out_width = grid.width * params.space + params.left + params.right;
  const int out_height = grid.height * params.space + params.top + params.bottom;
  const int out_frames = (grid.frames - 1) * params.time + 1 + params.front;
  const auto row = static_cast<int>(blockIdx.x);
  const int y = row % out_height;
  const int t = row / out_height % out_frames;
  const int item = row / out_height / out_frames;
  const int from_t = source(t - params.front, grid.frames, params.time, true);
  const int from_y = source(y - params.top, grid.height, params.space, false);
  const T* x =
      static_cast<const T*>(params.x) +
      ((int64_t{item} * grid.frames + from_t) * grid.height + from_y) * grid.width * grid.channels +
      lane.pack * kChannelPack;
  T* out = static_cast<T*>(params.out) + int64_t{row} * out_width * grid.channels +
           lane.pack * kChannelPack;
  Pack scale = {};
  Pack shift = {};
  if constexpr (kNormalise) {
    scale = load_floats(params.scale + item * grid.channels + lane.pack * kChannelPack);
    shift = load_floats(params.shift + item * grid.channels + lane.pack * kChannelPack);
  }
#pragma unroll 4
  for (int column = lane.pixel; column < out_width; column += lane.pixels) {
    const int from = source(column - params.left, grid.width, params.space, false);
    if constexpr (kNormalise) {
      Pack pack = load(x + int64_t{from} * grid.channels);
#pragma unroll
      for (int i = 0; i < kChannelPack; ++i) {
        pack.values[i] = silu(fmaf(pack.values[i], scale.values[i], shift.values[i]));
      }
      store(out + int64_t{column} * grid.channels, pack);
    } else {
      *reinterpret_cast<uint4*>(out + int64_t{column} * grid.channels) =
          *reinterpret_cast<const uint4*>(x + int64_t{from} * grid.channels);
    }
  }
}

// One CTA a row of x.
template <typename T>
__global__ void spread_kernel(const SpreadParams params) {
  const Grid& grid = params.grid;
  const Lane lane(grid.channels);
  const auto row = static_cast<int>(blockIdx.x);
  const int y = row % grid.height;
  const int t = row / grid.height % grid.frames;
  const int item = row / grid.height / grid.frames;
  const int64_t out_row =
      (int64_t{item} * params.out_frames + t * params.time + params.frame) * 2 * grid.height +
      y * 2 + params.row;
  const T* x = static_cast<const T*>(params.x) + int64_t{row} * grid.width * grid.channels +
               lane.pack * kChannelPack;
  T* out = static_cast<T*>(params.out) +
           (out_row * 2 * grid.width + params.column) * grid.channels + lane.pack * kChannelPack;
  const Pack bias = load(static_cast<const T*>(params.bias) + lane.pack * kChannelPack);
#pragma unroll 4
  for (int column = lane.pixel; column < grid.width; column += lane.pixels) {
    Pack pack = load(x + int64_t{column} * grid.channels);
#pragma unroll
    for (int i = 0; i < kChannelPack; ++i) pack.values[i] += bias.values[i];
    store(out + int64_t{column} * 2 * grid.channels, pack);
  }
}

template <typename T>
__global__ void add_kernel(const AddParams params, int64_t pixels_per_cta) {
  const Lane lane(params.channels);
  const int64_t first = int64_t{blockIdx.x} * pixels_per_cta;
  const int64_t end = min(first + pixels_per_cta, params.num_pixels);
  const int offset = lane.pack * kChannelPack;
  const Pack bias = load(static_cast<const T*>(params.bias) + offset);
  const T* residual = static_cast<const T*>(params.residual);
  T* x = static_cast<T*>(params.x);
#pragma unroll 4
  for (int64_t pixel = first + lane.pixel; pixel < end; pixel += lane.pixels) {
    const int64_t at = pixel * params.channels + offset;
    Pack pack = load(x + at);
#pragma unroll
    for (int i = 0; i < kChannelPack; ++i) pack.values[i] += bias.values[i];
    if (residual != nullptr) {
      const Pack added = load(residual + at);
#pragma unroll
      for (int i = 0; i < kChannelPack; ++i) pack.values[i] += added.values[i];
    }
    store(x + at, pack);
  }
}

int64_t divide_up(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit;
}

template <typename T>
cudaError_t group_norm(const GroupNormParams& params, cudaStream_t stream) {
  const int32_t pieces = num_pieces(params.grid);
  const unsigned threads = threads_for(params.grid.channels);
  const size_t bytes = threads * 2 * 2 * sizeof(float);  // two quads a thread
  const auto batch = static_cast<unsigned>(params.grid.batch);
  quad_sums_kernel<T><<<dim3(static_cast<unsigned>(pieces), batch), threads, bytes, stream>>>(
      params, divide_up(pixels_of(params.grid), pieces));
  group_scale_kernel<T>
      <<<dim3(static_cast<unsigned>(params.num_groups), batch), 32, 0, stream>>>(params, pieces);
  return cudaGetLastError();
}

template <typename T>
cudaError_t pad(const PadParams& params, cudaStream_t stream) {
  const Grid& grid = params.grid;
  const int64_t rows = int64_t{grid.batch} * ((grid.frames - 1) * params.time + 1 + params.front) *
                       (grid.height * params.space + params.top + params.bottom);
  const unsigned threads = threads_for(grid.channels);
  const auto ctas = static_cast<unsigned>(rows);
  if (params.scale != nullptr) {
    pad_kernel<T, true><<<ctas, threads, 0, stream>>>(params);
  } else {
    pad_kernel<T, false><<<ctas, threads, 0, stream>>>(params);
  }
  return cudaGetLastError();
}

template <typename T>
cudaError_t spread(const SpreadParams& params, cudaStream_t stream) {
  const Grid& grid = params.grid;
  const auto rows = static_cast<unsigned>(grid.batch * grid.frames * grid.height);
  if (rows == 0) return cudaSuccess;
  spread_kernel<T><<<rows, threads_for(grid.channels), 0, stream>>>(params);
  return cudaGetLastError();
}

template <typename T>
cudaError_t add(const AddParams& params, cudaStream_t stream) {
  constexpr int64_t kPixelsPerThread = 16;
  const unsigned threads = threads_for(params.channels);
  const int64_t pixels_at_once = threads / static_cast<unsigned>(params.channels / kChannelPack);
  const int64_t per_cta = pixels_at_once * kPixelsPerThread;
  const auto ctas = static_cast<unsigned>(divide_up(params.num_pixels, per_cta));
  if (ctas == 0) return cudaSuccess;
  add_kernel<T><<<ctas, threads, 0, stream>>>(params, per_cta);
  return cudaGetLastError();
}

}  // namespace

int32_t num_pieces(const Grid& grid) {
  constexpr int64_t kFewestPixels = 256;
  return static_cast<int32_t>(std::clamp<int64_t>(pixels_of(grid) / kFewestPixels, 1, kMaxPieces));
}

cudaError_t launch_group_norm(const GroupNormParams& params, cudaStream_t stream) {
  const int channels = params.grid.channels;
  if (!channels_fit(channels) || params.num_groups < 1 ||
      channels % (params.num_groups * kQuad) != 0) {
    return cudaErrorInvalidValue;
  }
  return params.dtype == Dtype::kFp16 ? group_norm<__half>(params, stream)
                                      : group_norm<__nv_bfloat16>(params, stream);
}

cudaError_t launch_pad(const PadParams& params, cudaStream_t stream) {
  const bool upsamples = params.time != 1 || params.space != 1;
  if (!channels_fit(params.grid.channels) || (upsamples && params.scale != nullptr)) {
    return cudaErrorInvalidValue;
  }
  return params.dtype == Dtype::kFp16 ? pad<__half>(params, stream)
                                      : pad<__nv_bfloat16>(params, stream);
}

cudaError_t launch_spread(const SpreadParams& params, cudaStream_t stream) {
  if (!channels_fit(params.grid.channels)) return cudaErrorInvalidValue;
  return params.dtype == Dtype::kFp16 ? spread<__half>(params, stream)
                                      : spread<__nv_bfloat16>(params, stream);
}

cudaError_t launch_add(const AddParams& params, cudaStream_t stream) {
  if (!channels_fit(params.channels)) return cudaErrorInvalidValue;
  return params.dtype == Dtype::kFp16 ? add<__half>(params, stream)
                                      : add<__nv_bfloat16>(params, stream);
}

}  // namespace reel::vae::kernels
