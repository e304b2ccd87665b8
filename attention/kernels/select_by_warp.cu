// One warp selects for one (item, query block): every lane keeps four of each 128 masses in
// registers. Scores are read once, and there is neither shared memory nor a barrier.
#include "attention/kernels/select_by_warp.h"

#include <math_constants.h>

#include "attention/kernels/select_rule.cuh"

namespace reel::attention::kernels {
namespace {

constexpr int kWarps = 4;
constexpr int kGroupColumns = 128;  // key blocks that a warp loads at once, four a lane

// Numbers of a row, spread over the lanes: at(group * 4 + i) is column(group, i).
template <int kGroups>
struct Spread {
  static constexpr int kCount = kGroups * 4;
  float values[kCount];

  __device__ static int column(int index) {
    return index / 4 * kGroupColumns + static_cast<int>(threadIdx.x) % 32 * 4 + index % 4;
  }

  __device__ uint32_t bits(int index) const { return __float_as_uint(values[index]); }
};

// Scores of one strided row, four a lane and group; nothing here looks at what is on its way.
template <int kGroups>
__device__ void load_scores(const float4* scores, int candidates, float4 (&row)[kGroups]) {
#pragma unroll
  for (int group = 0; group < kGroups; ++group) {
    const int column = Spread<kGroups>::column(group * 4);
    if (column < candidates) row[group] = __ldcs(scores + column / 4);
  }
}

// Columns that are not candidates are -inf.
template <int kGroups>
__device__ Spread<kGroups> hide_others(const float4 (&row)[kGroups], int candidates) {
  Spread<kGroups> scores;
#pragma unroll
  for (int group = 0; group < kGroups; ++group) {
    const float four[4] = {row[group].x, row[group].y, row[group].z, row[group].w};
    const bool whole = (group + 1) * kGroupColumns <= candidates;
#pragma unroll
    for (int i = group * 4; i < group * 4 + 4; ++i) {
      const bool candidate = whole || Spread<kGroups>::column(i) < candidates;
      scores.values[i] = candidate ? four[i % 4] : -CUDART_INF_F;
    }
  }
  return scores;
}

// mass += softmax(scores) / num_rows.
template <int kGroups>
__device__ void add_softmax(Spread<kGroups> scores, float num_rows, Spread<kGroups>& mass) {
  float maxima[4] = {-CUDART_INF_F, -CUDART_INF_F, -CUDART_INF_F, -CUDART_INF_F};
#pragma unroll
  for (int i = 0; i < kGroups * 4; ++i) maxima[i % 4] = fmaxf(maxima[i % 4], scores.values[i]);
  const float max = warp_max(fmaxf(fmaxf(maxima[0], maxima[1]), fmaxf(maxima[2], maxima[3])));
  const float shift = max == -CUDART_INF_F ? 0.0F : max;
  float sums[4] = {};
#pragma unroll
  for (int i = 0; i < kGroups * 4; ++i) {
    scores.values[i] = exp2_approx(scores.values[i] - shift);
    sums[i % 4] += scores.values[i];
  }
  const float sum = warp_sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  // a row of -inf alone has no softmax: NaN, which makes every block visible
  const float scale = max == -CUDART_INF_F ? CUDART_NAN_F : 1.0F / (sum * num_rows);
#pragma unroll
  for (int i = 0; i < kGroups * 4; ++i) {
    mass.values[i] = fmaf(scores.values[i], scale, mass.values[i]);
  }
}

template <int kRows, int kGroups>
__device__ Spread<kGroups> compute_mass(const SelectParams& params, const SelectRow& row) {
  const int pitch = (params.num_scored + 7) / 8 * 2;  // of four columns
  const auto* scores =
      reinterpret_cast<const float4*>(params.block_lse) + row.first_strided(params) * pitch;
  Spread<kGroups> mass = {};
  float4 next[kGroups] = {};
  load_scores(scores, row.candidates, next);
#pragma unroll 1
  for (int strided = 0; strided < kRows; ++strided) {
    const Spread<kGroups> current = hide_others(next, row.candidates);
    if (strided + 1 < kRows) {  // on its way while this one is worked on
      load_scores(scores + int64_t{strided + 1} * pitch, row.candidates, next);
    }
    add_softmax(current, kRows, mass);
  }
  return mass;
}

// Masses of a row in double precision, for sums in a fixed order.
template <int kGroups>
struct Weights {
  double values[kGroups * 4];

  __device__ explicit Weights(const Spread<kGroups>& mass) {
#pragma unroll
    for (int i = 0; i < kGroups * 4; ++i) values[i] = static_cast<double>(mass.values[i]);
  }

  // Of those whose mass has at least these bits.
  __device__ double sum_from(const Spread<kGroups>& mass, uint32_t least) const {
    double parts[4] = {};
#pragma unroll
    for (int i = 0; i < kGroups * 4; ++i) {
      if (mass.bits(i) >= least) parts[i % 4] += values[i];
    }
    return warp_sum((parts[0] + parts[1]) + (parts[2] + parts[3]));
  }
};

// The smallest mass that has to be taken, as bits: the largest t with sum(mass >= t) >= wanted.
template <int kGroups>
__device__ uint32_t find_threshold(const Spread<kGroups>& mass, const Weights<kGroups>& weights,
                                   double total, double tau, int candidates) {
  const double wanted = tau * total;
  uint32_t low = 0;  // holds
  if (tau < 0.999) {
    // Blocks lighter than (1 - tau) of the mean are together lighter than what may be left out.
    low = __float_as_uint(static_cast<float>(0.999 * (1 - tau) * total) /
                          static_cast<float>(candidates));
  }
  uint32_t heaviest = 0;
#pragma unroll
  for (int i = 0; i < kGroups * 4; ++i) heaviest = max(heaviest, mass.bits(i));
  uint32_t high = __reduce_max_sync(kAllLanes, heaviest) + 1;  // does not hold
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    if (weights.sum_from(mass, middle) >= wanted) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

// Ties of the threshold within `reach` of the query block.
template <int kGroups>
__device__ int count_ties(const Spread<kGroups>& mass, uint32_t threshold, int query, int reach) {
  int count = 0;
#pragma unroll
  for (int i = 0; i < kGroups * 4; ++i) {
    count += mass.bits(i) == threshold && abs(Spread<kGroups>::column(i) - query) <= reach;
  }
  return __reduce_add_sync(kAllLanes, count);
}

// Ties go to the nearest block, the lower index of two equally near.
template <int kGroups>
__device__ void choose_ties(const Spread<kGroups>& mass, const SelectRow& row, int needed,
                            SelectChoice& choice) {
  int low = -1;               // at most `needed` ties within
  int high = row.candidates;  // more
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    if (count_ties(mass, choice.threshold, row.query, middle) <= needed) {
      low = middle;
    } else {
      high = middle;
    }
  }
  choice.reach = low;
  // both blocks at the next distance are ties if one of them is still needed
  if (count_ties(mass, choice.threshold, row.query, low) < needed) {
    choice.extra = row.query - (low + 1);
  }
}

template <int kGroups>
__device__ SelectChoice choose(const Spread<kGroups>& mass, const SelectRow& row, double tau) {
  const Weights<kGroups> weights(mass);
  const double total = weights.sum_from(mass, 0);
  SelectChoice choice;
  choice.all = tau == 1.0 || !isfinite(total);
  const double wanted = tau * total;
  if (choice.all || !(wanted > 0)) return choice;
  choice.threshold = find_threshold(mass, weights, total, tau, row.candidates);
  if (choice.threshold == 0) return choice;
  const int ties = count_ties(mass, choice.threshold, row.query, row.candidates);
  const double heavier = weights.sum_from(mass, choice.threshold + 1);
  const double tie = __uint_as_float(choice.threshold);
  const double needed = fmax(ceil((wanted - heavier) / tie), 1.0);
  choice.reach = row.candidates;
  if (needed < ties) choose_ties(mass, row, static_cast<int>(needed), choice);
  return choice;
}

// Bits of word `word` of a mask, of keys below `end`.
__device__ uint32_t keys_below(int word, int end) {
  const int count = min(max(end - word * 32, 0), 32);
  return count == 32 ? ~0U : (1U << count) - 1U;
}

// The mask of what the ranking takes; lane i holds word i.
template <int kGroups>
__device__ uint32_t chosen_word(const Spread<kGroups>& mass, const SelectRow& row,
                                const SelectChoice& choice) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  uint32_t mine = 0;
#pragma unroll
  for (int group = 0; group < kGroups; ++group) {
    uint32_t word = 0;  // of the eight lanes that share it
#pragma unroll
    for (int i = group * 4; i < group * 4 + 4; ++i) {
      const bool taken = choice.takes(mass.bits(i), Spread<kGroups>::column(i), row.query);
      word |= static_cast<uint32_t>(taken) << (lane % 8 * 4 + i % 4);
    }
#pragma unroll
    for (int offset = 1; offset < 8; offset *= 2) {
      word |= __shfl_xor_sync(kAllLanes, word, offset);
    }
    const uint32_t other = __shfl_sync(kAllLanes, word, lane % 4 * 8);
    if (lane / 4 == group) mine = other;
  }
  return mine & keys_below(lane, row.candidates);
}

__device__ uint32_t forced_word(const SelectParams& params, const SelectRow& row, int word) {
  uint32_t forced = ~keys_below(word, params.num_scored) | keys_below(word, params.sink);
  if (row.query / 32 == word && (params.self || params.causal)) forced |= 1U << row.query % 32;
  return forced;
}

// Writes list, count and mask; lane i has word i.
__device__ void emit(const SelectParams& params, const SelectRow& row, uint32_t word) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int num_words = (params.num_blocks + 31) / 32;
  const int64_t list = row.list(params);
  const BlockListPointers& lists = params.lists;
  if (lane < num_words) lists.mask[list * num_words + lane] = word;
  int up_to = __popc(word);
#pragma unroll
  for (int offset = 1; offset < 32; offset *= 2) {
    const int other = __shfl_up_sync(kAllLanes, up_to, offset);
    if (lane >= offset) up_to += other;
  }
  if (lane == 31) {
    lists.counts[list] = up_to;
    atomicAdd(lists.selected + row.item, static_cast<unsigned long long>(up_to));
  }
  uint16_t* keys = lists.keys + list * params.num_blocks;
  for (int i = 0; i < num_words; ++i) {
    const uint32_t bits = __shfl_sync(kAllLanes, word, i);
    const int before = __shfl_sync(kAllLanes, up_to, i) - __popc(bits);
    if ((bits >> lane & 1U) != 0) {
      keys[before + __popc(bits & ((1U << lane) - 1U))] = static_cast<uint16_t>(i * 32 + lane);
    }
  }
}

template <int kGroups>
__device__ void store_mass(const SelectParams& params, const SelectRow& row,
                           const Spread<kGroups>& mass) {
  float* out = params.block_mass +
               (static_cast<int64_t>(row.item) * params.num_scored + row.query) * params.num_scored;
#pragma unroll
  for (int i = 0; i < kGroups * 4; ++i) {
    const int column = Spread<kGroups>::column(i);
    if (column < params.num_scored) out[column] = column < row.candidates ? mass.values[i] : 0.0F;
  }
}

// One warp a (query block, item).
template <int kRows, int kGroups>
__global__ __launch_bounds__(kWarps * 32, 3) void select_kernel(const SelectParams params,
                                                                int num_queries) {
  const int number = static_cast<int>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / 32;
  if (number >= num_queries) return;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const SelectRow row = SelectRow::of(params, number, static_cast<int>(blockIdx.y));
  uint32_t word = ~0U;
  if (row.scored) {
    const Spread<kGroups> mass = compute_mass<kRows, kGroups>(params, row);
    if (params.block_mass != nullptr) store_mass(params, row, mass);
    const SelectChoice choice = choose(mass, row, params.taus[row.item % params.num_heads]);
    word = chosen_word(mass, row, choice) | forced_word(params, row, lane);
  }
  emit(params, row, word & keys_below(lane, row.visible));
}

template <int kRows, int kGroups>
cudaError_t launch(const SelectParams& params, cudaStream_t stream) {
  const int unscored = params.unscored_queries ? params.num_blocks - params.num_scored : 0;
  const int num_queries = params.num_queries + unscored;
  const dim3 grid(static_cast<unsigned>((num_queries + kWarps - 1) / kWarps),
                  static_cast<unsigned>(params.num_items));
  if (grid.x == 0 || grid.y == 0) return cudaSuccess;
  select_kernel<kRows, kGroups><<<grid, kWarps * 32, 0, stream>>>(params, num_queries);
  return cudaGetLastError();
}

template <int kRows>
cudaError_t launch_rows(const SelectParams& params, cudaStream_t stream) {
  constexpr int kFewGroups = 3;
  constexpr int kMostGroups = kMaxWarpSelectBlocks / kGroupColumns;
  return params.num_blocks <= kFewGroups * kGroupColumns
             ? launch<kRows, kFewGroups>(params, stream)
             : launch<kRows, kMostGroups>(params, stream);
}

}  // namespace

cudaError_t launch_select_by_warp(const SelectParams& params, cudaStream_t stream) {
  if (params.num_blocks > kMaxWarpSelectBlocks) return cudaErrorInvalidValue;
  switch (params.rows_per_block) {
    case 8:
      return launch_rows<8>(params, stream);
    case 16:
      return launch_rows<16>(params, stream);
    case 32:
      return launch_rows<32>(params, stream);
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace reel::attention::kernels
