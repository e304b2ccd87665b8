#include "attention/kernels/select.h"

#include <math_constants.h>

#include "attention/kernels/select_by_warp.h"
#include "attention/kernels/select_rule.cuh"

namespace reel::attention::kernels {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * 32;

// Sums over all threads in a fixed order; every thread gets the result. The two buffers take turns
// so that one barrier a sum is enough.
class BlockSum {
 public:
  struct Storage {
    double slots[2][kWarps][3];
  };

  __device__ explicit BlockSum(Storage& storage) : storage_(storage) {}

  template <int kCount>
  __device__ void operator()(double (&values)[kCount]) {
    auto& slots = storage_.slots[turn_];
    turn_ ^= 1;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      values[i] = warp_sum(values[i]);
      if (threadIdx.x % 32 == 0) slots[threadIdx.x / 32][i] = values[i];
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      values[i] = slots[0][i];
#pragma unroll
      for (int warp = 1; warp < kWarps; ++warp) values[i] += slots[warp][i];
    }
  }

  __device__ double one(double value) {
    double values[1] = {value};
    (*this)(values);
    return values[0];
  }

 private:
  Storage& storage_;
  int turn_ = 0;
};

// What the CTA of one (item, query block) keeps in shared memory.
struct Shared {
  BlockSum::Storage sums;
  float row_max[32];
  float row_scale[32];  // 1 / (sum of 2^(b - max) * rows of a block)
};

// The part of it whose size depends on the number of blocks.
struct Arrays {
  float* mass;       // [padded_blocks]
  uint32_t* words;   // [ceil(n / 32)]
  int32_t* offsets;  // [ceil(n / 32)], keys before each word
};

// Scores of one strided row, softmax denominators by one warp; masked columns are -inf.
__device__ void reduce_row(const float4* scores, int columns, float& max, float& sum) {
  constexpr int kGroups = 8;  // of four columns, loaded before the first is used
  const int lane = threadIdx.x % 32;
  max = -CUDART_INF_F;
  sum = 0;
  for (int first = 0; first < columns; first += kGroups * 128) {
    float values[kGroups * 4];
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      const int column = first + group * 128 + lane * 4;
      float4 four = {};
      if (column < columns) four = scores[column / 4];
      values[group * 4] = column < columns ? four.x : -CUDART_INF_F;
      values[group * 4 + 1] = column + 1 < columns ? four.y : -CUDART_INF_F;
      values[group * 4 + 2] = column + 2 < columns ? four.z : -CUDART_INF_F;
      values[group * 4 + 3] = column + 3 < columns ? four.w : -CUDART_INF_F;
    }
    float larger = max;
#pragma unroll
    for (const float value : values) larger = fmaxf(larger, value);
    const float shift = larger == -CUDART_INF_F ? 0.0F : larger;
    sum *= exp2_approx(max - shift);
#pragma unroll
    for (const float value : values) sum += exp2_approx(value - shift);
    max = larger;
  }
  const float row_max = warp_max(max);
  // a row of -inf alone has no softmax: NaN, which makes every block visible
  const float share = row_max == -CUDART_INF_F ? CUDART_NAN_F
                      : max == -CUDART_INF_F   ? sum  // 0, or NaN
                                               : sum * exp2_approx(max - row_max);
  sum = warp_sum(share);
  max = row_max;
}

// Mass of every candidate block.
template <int kRows>
__device__ void compute_mass(const SelectParams& params, const SelectRow& row, Shared& shared,
                             float* masses) {
  const int groups = (params.num_scored + 7) / 8 * 2;  // of four columns
  const auto* scores =
      reinterpret_cast<const float4*>(params.block_lse) + row.first_strided(params) * groups;
  for (int strided = threadIdx.x / 32; strided < kRows; strided += kWarps) {
    float max, sum;
    reduce_row(scores + int64_t{strided} * groups, row.candidates, max, sum);
    if (threadIdx.x % 32 == 0) {
      shared.row_max[strided] = max;
      shared.row_scale[strided] = 1.0F / (sum * kRows);
    }
  }
  __syncthreads();
  for (int group = threadIdx.x; group * 4 < row.candidates; group += kThreads) {
    float4 mass = {};
#pragma unroll 8
    for (int strided = 0; strided < kRows; ++strided) {
      const float4 four = scores[int64_t{strided} * groups + group];
      const float max = shared.row_max[strided];
      const float scale = shared.row_scale[strided];
      mass.x += exp2_approx(four.x - max) * scale;
      mass.y += exp2_approx(four.y - max) * scale;
      mass.z += exp2_approx(four.z - max) * scale;
      mass.w += exp2_approx(four.w - max) * scale;
    }
    reinterpret_cast<float4*>(masses)[group] = mass;
  }
  __syncthreads();
}

// The smallest mass that has to be taken, as bits (masses are >= 0, so bits order like values):
// the largest t with sum(mass >= t) >= wanted. Three tries at a time.
__device__ uint32_t find_threshold(const float* mass, int count, double wanted, BlockSum& sum) {
  uint32_t low = 0;                       // holds
  uint32_t high = __float_as_uint(2.0F);  // does not hold: masses are shares of 1
  while (high - low > 1) {
    const uint32_t step = max((high - low) / 4, 1U);
    const uint32_t tries[3] = {low + step, min(low + 2 * step, high), min(low + 3 * step, high)};
    double sums[3] = {};
    for (int key = threadIdx.x; key < count; key += kThreads) {
      const float value = mass[key];
      const uint32_t bits = __float_as_uint(value);
#pragma unroll
      for (int i = 0; i < 3; ++i) sums[i] += bits >= tries[i] ? static_cast<double>(value) : 0.0;
    }
    sum(sums);
    uint32_t new_high = high;
#pragma unroll
    for (int i = 2; i >= 0; --i) {
      if (sums[i] < wanted) new_high = tries[i];
    }
#pragma unroll
    for (int i = 0; i < 3; ++i) {
      if (sums[i] >= wanted && tries[i] < new_high) low = tries[i];
    }
    high = new_high;
  }
  return low;
}

// Ties go to the nearest block, the lower index of two equally near.
__device__ void choose_ties(const float* mass, const SelectRow& row, int needed, BlockSum& sum,
                            SelectChoice& choice) {
  int low = -1;               // at most `needed` ties within
  int high = row.candidates;  // more
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    int within = 0;
    for (int key = threadIdx.x; key < row.candidates; key += kThreads) {
      within += __float_as_uint(mass[key]) == choice.threshold && abs(key - row.query) <= middle;
    }
    if (sum.one(within) <= needed) {
      low = middle;
    } else {
      high = middle;
    }
  }
  int within = 0;
  for (int key = threadIdx.x; key < row.candidates; key += kThreads) {
    within += __float_as_uint(mass[key]) == choice.threshold && abs(key - row.query) <= low;
  }
  choice.reach = low;
  // both blocks at the next distance are ties if one of them is still needed
  choice.extra = sum.one(within) < needed ? row.query - (low + 1) : -1;
}

__device__ SelectChoice choose(const float* mass, const SelectRow& row, double tau, BlockSum& sum) {
  double sums[2] = {};  // mass, blocks that are not finite
  for (int key = threadIdx.x; key < row.candidates; key += kThreads) {
    const float value = mass[key];
    sums[0] += static_cast<double>(value);
    sums[1] += isfinite(value) ? 0.0 : 1.0;
  }
  sum(sums);
  SelectChoice choice;
  choice.all = tau == 1.0 || sums[1] > 0;
  const double wanted = tau * sums[0];
  if (choice.all || !(wanted > 0)) return choice;
  choice.threshold = find_threshold(mass, row.candidates, wanted, sum);
  double parts[2] = {};  // mass above the threshold, ties
  for (int key = threadIdx.x; key < row.candidates; key += kThreads) {
    const uint32_t bits = __float_as_uint(mass[key]);
    parts[0] += bits > choice.threshold ? static_cast<double>(mass[key]) : 0.0;
    parts[1] += bits == choice.threshold ? 1.0 : 0.0;
  }
  sum(parts);
  const double tie = __uint_as_float(choice.threshold);
  if (choice.threshold == 0) return choice;
  const double needed = fmax(ceil((wanted - parts[0]) / tie), 1.0);
  choice.reach = row.candidates;
  if (needed < parts[1]) choose_ties(mass, row, static_cast<int>(needed), sum, choice);
  return choice;
}

// Keys before each word of the mask; returns the number of keys. One warp.
__device__ int scan_words(const uint32_t* words, int num_words, int32_t* offsets) {
  const int lane = threadIdx.x % 32;
  int before = 0;
  for (int first = 0; first < num_words; first += 32) {
    const int count = first + lane < num_words ? __popc(words[first + lane]) : 0;
    int up_to = count;
#pragma unroll
    for (int offset = 1; offset < 32; offset *= 2) {
      const int other = __shfl_up_sync(kAllLanes, up_to, offset);
      if (lane >= offset) up_to += other;
    }
    if (first + lane < num_words) offsets[first + lane] = before + up_to - count;
    before += __shfl_sync(kAllLanes, up_to, 31);
  }
  return before;
}

// Writes list, count and mask of row `list`; taken(key) is asked for keys below `visible`.
template <typename Taken>
__device__ void emit(const BlockListPointers& lists, int item, int64_t list, int num_blocks,
                     int visible, uint32_t* words, int32_t* offsets, const Taken& taken) {
  const int lane = threadIdx.x % 32;
  const int num_words = (num_blocks + 31) / 32;
  for (int word = threadIdx.x / 32; word < num_words; word += kWarps) {
    const int key = word * 32 + lane;
    const uint32_t bits = __ballot_sync(kAllLanes, key < visible && taken(key));
    if (lane == 0) {
      words[word] = bits;
      lists.mask[list * num_words + word] = bits;
    }
  }
  __syncthreads();
  if (threadIdx.x < 32) {
    const int count = scan_words(words, num_words, offsets);
    if (lane == 0) {
      lists.counts[list] = count;
      atomicAdd(lists.selected + item, static_cast<unsigned long long>(count));
    }
  }
  __syncthreads();
  for (int word = threadIdx.x / 32; word < num_words; word += kWarps) {
    const uint32_t bits = words[word];
    if ((bits >> lane & 1U) == 0) continue;
    const int rank = offsets[word] + __popc(bits & ((1U << lane) - 1U));
    lists.keys[list * num_blocks + rank] = static_cast<uint16_t>(word * 32 + lane);
  }
}

// One CTA a (query block, item).
template <int kRows>
__global__ __launch_bounds__(kThreads) void select_kernel(const SelectParams params) {
  extern __shared__ float4 dynamic_shared[];
  __shared__ Shared shared;
  const SelectRow row =
      SelectRow::of(params, static_cast<int>(blockIdx.x), static_cast<int>(blockIdx.y));
  Arrays arrays;
  arrays.mass = reinterpret_cast<float*>(dynamic_shared);
  arrays.words = reinterpret_cast<uint32_t*>(arrays.mass + (params.num_scored + 7) / 8 * 8);
  arrays.offsets = reinterpret_cast<int32_t*>(arrays.words + (params.num_blocks + 31) / 32);
  SelectChoice choice;
  if (row.scored) {
    compute_mass<kRows>(params, row, shared, arrays.mass);
    BlockSum sum(shared.sums);
    choice = choose(arrays.mass, row, params.taus[row.item % params.num_heads], sum);
    if (params.block_mass != nullptr) {
      float* out =
          params.block_mass +
          (static_cast<int64_t>(row.item) * params.num_scored + row.query) * params.num_scored;
      for (int key = threadIdx.x; key < params.num_scored; key += kThreads) {
        out[key] = key < row.candidates ? arrays.mass[key] : 0.0F;
      }
    }
  }
  emit(params.lists, row.item, row.list(params), params.num_blocks, row.visible, arrays.words,
       arrays.offsets, [&](int key) {
         const bool forced = !row.scored || key >= params.num_scored || key < params.sink ||
                             (key == row.query && (params.self || params.causal));
         return forced || (key < row.candidates &&
                           choice.takes(__float_as_uint(arrays.mass[key]), key, row.query));
       });
}

// One CTA a (query block, item).
__global__ __launch_bounds__(kThreads) void lists_of_mask_kernel(const uint8_t* given,
                                                                 int num_blocks,
                                                                 BlockListPointers lists) {
  extern __shared__ uint32_t dynamic_words[];
  const int item = static_cast<int>(blockIdx.y);
  const int64_t list = static_cast<int64_t>(item) * num_blocks + blockIdx.x;
  emit(lists, item, list, num_blocks, num_blocks, dynamic_words,
       reinterpret_cast<int32_t*>(dynamic_words + (num_blocks + 31) / 32),
       [&](int key) { return given[list * num_blocks + key] != 0; });
}

template <int kRows>
cudaError_t launch(const SelectParams& params, cudaStream_t stream) {
  const int padded = (params.num_scored + 7) / 8 * 8;
  const int num_words = (params.num_blocks + 31) / 32;
  const int bytes = padded * 4 + num_words * 8;
  const auto status = cudaFuncSetAttribute(select_kernel<kRows>,
                                           cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  if (status != cudaSuccess) return status;
  const int unscored = params.unscored_queries ? params.num_blocks - params.num_scored : 0;
  const dim3 grid(static_cast<unsigned>(params.num_queries + unscored),
                  static_cast<unsigned>(params.num_items));
  if (grid.x == 0 || grid.y == 0) return cudaSuccess;
  select_kernel<kRows><<<grid, kThreads, static_cast<size_t>(bytes), stream>>>(params);
  return cudaGetLastError();
}

}  // namespace

cudaError_t launch_select(const SelectParams& params, cudaStream_t stream) {
  if (params.num_blocks > kMaxSelectBlocks) return cudaErrorInvalidValue;
  if (!params.by_block && params.num_blocks <= kMaxWarpSelectBlocks) {
    return launch_select_by_warp(params, stream);
  }
  switch (params.rows_per_block) {
    case 8:
      return launch<8>(params, stream);
    case 16:
      return launch<16>(params, stream);
    case 32:
      return launch<32>(params, stream);
    default:
      return cudaErrorInvalidValue;
  }
}

cudaError_t launch_lists_of_mask(const uint8_t* given, int32_t num_items, int32_t num_blocks,
                                 const BlockListPointers& lists, cudaStream_t stream) {
  if (num_blocks > kMaxSelectBlocks) return cudaErrorInvalidValue;
  if (num_items == 0 || num_blocks == 0) return cudaSuccess;
  const auto bytes = static_cast<size_t>((num_blocks + 31) / 32 * 8);
  lists_of_mask_kernel<<<dim3(static_cast<unsigned>(num_blocks), static_cast<unsigned>(num_items)),
                         kThreads, bytes, stream>>>(given, num_blocks, lists);
  return cudaGetLastError();
}

}  // namespace reel::attention::kernels
