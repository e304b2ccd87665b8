// Block-sparse attention for every GPU since compute capability 8.0
// (docs/kernels/sparse_forward.md, "Other GPUs"). A CTA takes 128 queries of one item, each of its
// warps some rows of them; keys and values come 64 or 32 tokens at a time by cp.async, two stages
// of each, in the order of the tile's list from its end. Letters (docs/SHAPES.md): S joint tokens,
// A heads, D head dim, n blocks.
#pragma once

#include "attention/kernels/attend.h"
#include "attention/kernels/attend_softmax.cuh"
#include "attention/kernels/ptx/mma_sync.cuh"

namespace reel::attention::kernels::attend_mma {

using attend::kNegativeInfinity;

inline constexpr int kBlock = 128;  // tokens of a query tile and of a listed key block
inline constexpr int kStages = 2;

/// What is fixed when the kernel is compiled. A warp has kRowTiles times 16 rows.
template <typename ElementType, int kDim, int kTilesOfRows>
struct Config {
  using Element = ElementType;
  static constexpr int kHeadDim = kDim;
  static constexpr int kRowTiles = kTilesOfRows;
  // keys of a step; 64 and 32 rows of 128 dims would need more registers than there are
  static constexpr int kKeys = kRowTiles * kHeadDim > 128 ? 32 : 64;
  static constexpr int kThreads = kBlock / (16 * kRowTiles) * 32;
  static constexpr int kRowBytes = kHeadDim * 2;
  static constexpr int kRowParts = kRowBytes / 16;  // copies of a row
  static constexpr uint32_t kQueryBytes = kBlock * kRowBytes;
  static constexpr uint32_t kStageBytes = kKeys * kRowBytes;
  static constexpr uint32_t kSharedBytes = kQueryBytes + 2 * kStages * kStageBytes;
};

/// Where 16 bytes of a row lie: the parts of eight rows that are read together fall into different
/// banks.
template <typename C>
__device__ inline uint32_t place_of(int row, int part) {
  return static_cast<uint32_t>(row * C::kRowBytes + (part ^ (row & 7)) * 16);
}

/// Begins to bring `kRows` tokens from `first` on of one head; tokens from `end` on become zeros.
template <typename C, int kRows>
__device__ inline void bring(uint32_t target, const typename C::Element* head, int64_t stride,
                             int first, int end) {
  static_assert(kRows * C::kRowParts % C::kThreads == 0);
#pragma unroll
  for (int i = 0; i < kRows * C::kRowParts / C::kThreads; ++i) {
    const int index = static_cast<int>(threadIdx.x) + i * C::kThreads;
    const int row = index / C::kRowParts;
    const int part = index % C::kRowParts;
    const bool inside = first + row < end;
    const int64_t token = inside ? first + row : 0;
    ptx::copy_16_bytes(target + place_of<C>(row, part), head + token * stride + part * 8, inside);
  }
}

/// One warp's rows of a tile.
template <typename C>
class Rows {
 public:
  __device__ Rows(float scale_log2, uint32_t queries)
      : softmax_{attend::Softmax<kRescale>(scale_log2), attend::Softmax<kRescale>(scale_log2)},
        queries_(queries),
        first_row_(static_cast<int>(threadIdx.x / 32) * 16 * C::kRowTiles),
        lane_(static_cast<int>(threadIdx.x % 32)) {
#pragma unroll
    for (auto& tile : sums_) {
#pragma unroll
      for (float& sum : tile) sum = 0.0F;
    }
  }

  /// Row of the tile that this thread's upper row of a row tile is.
  __device__ int row(int tile) const { return first_row_ + tile * 16 + lane_ / 4; }

  /// Logits of the rows and a step's keys, not scaled.
  __device__ void multiply_keys(uint32_t keys) {
#pragma unroll
    for (auto& tile : logits_) {
#pragma unroll
      for (float& logit : tile) logit = 0.0F;
    }
#pragma unroll
    for (int step = 0; step < C::kHeadDim / 16; ++step) {
      uint32_t rows[C::kRowTiles][4];
#pragma unroll
      for (int tile = 0; tile < C::kRowTiles; ++tile) {
        ptx::load_matrices(rows[tile], queries_ + place_of<C>(first_row_ + tile * 16 + lane_ % 16,
                                                              step * 2 + lane_ / 16));
      }
#pragma unroll
      for (int pair = 0; pair < C::kKeys / 16; ++pair) {
        uint32_t columns[4];
        ptx::load_matrices(columns, keys + place_of<C>(pair * 16 + lane_ / 16 * 8 + lane_ % 8,
                                                       step * 2 + lane_ / 8 % 2));
#pragma unroll
        for (int tile = 0; tile < C::kRowTiles; ++tile) {
          float* logits = logits_[tile] + pair * 8;
          ptx::multiply_16x8<typename C::Element>(logits, rows[tile], columns[0], columns[1]);
          ptx::multiply_16x8<typename C::Element>(logits + 4, rows[tile], columns[2], columns[3]);
        }
      }
    }
  }

  /// Hides keys from `end` on, and with `diagonal` those after each row; both counted from the
  /// step's first key, `diagonal_offset` being its distance from the tile's first query.
  __device__ void hide_keys(int end, bool diagonal, int diagonal_offset) {
#pragma unroll
    for (int tile = 0; tile < C::kRowTiles; ++tile) {
      const int upper = diagonal ? min(end, row(tile) - diagonal_offset + 1) : end;
      const int lower = diagonal ? min(end, row(tile) - diagonal_offset + 9) : end;
#pragma unroll
      for (int i = 0; i < C::kKeys / 2; ++i) {
        const int column = i / 4 * 8 + lane_ % 4 * 2 + i % 2;
        if (column >= (i % 4 < 2 ? upper : lower)) logits_[tile][i] = kNegativeInfinity;
      }
    }
  }

  /// Turns logits into weights and brings the sums to the new maxima.
  __device__ void weigh() {
#pragma unroll
    for (int tile = 0; tile < C::kRowTiles; ++tile) {
      softmax_[tile].weigh(logits_[tile]);
      softmax_[tile].rescale(sums_[tile]);
    }
  }

  /// Adds weights times values.
  __device__ void multiply_values(uint32_t values) {
#pragma unroll
    for (int step = 0; step < C::kKeys / 16; ++step) {
      uint32_t weights[C::kRowTiles][4];
#pragma unroll
      for (int tile = 0; tile < C::kRowTiles; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          weights[tile][i] = attend::pack_pair<typename C::Element>(
              logits_[tile][step * 8 + i * 2], logits_[tile][step * 8 + i * 2 + 1]);
        }
      }
#pragma unroll
      for (int pair = 0; pair < C::kHeadDim / 16; ++pair) {
        uint32_t columns[4];
        ptx::load_matrices_transposed(
            columns, values + place_of<C>(step * 16 + lane_ % 16, pair * 2 + lane_ / 16));
#pragma unroll
        for (int tile = 0; tile < C::kRowTiles; ++tile) {
          float* sums = sums_[tile] + pair * 8;
          ptx::multiply_16x8<typename C::Element>(sums, weights[tile], columns[0], columns[1]);
          ptx::multiply_16x8<typename C::Element>(sums + 4, weights[tile], columns[2], columns[3]);
        }
      }
    }
  }

  /// Stores the rows; `out` and `lse` (or nullptr) are those of the tile's first token, of which
  /// `count` exist.
  __device__ void store(typename C::Element* out, int64_t stride, float* lse, int count) const {
#pragma unroll
    for (int tile = 0; tile < C::kRowTiles; ++tile) {
      const attend::RowEnds ends = softmax_[tile].finish();
#pragma unroll
      for (int lower = 0; lower < 2; ++lower) {
        const int line = row(tile) + 8 * lower;
        const bool inside = line < count;
        attend::store_row<typename C::Element, C::kHeadDim>(
            sums_[tile], lower, lower == 0 ? ends.scale_upper : ends.scale_lower, inside,
            out + line * stride);
        if (lse != nullptr && inside && lane_ % 4 == 0) {
          lse[line] = lower == 0 ? ends.lse_upper : ends.lse_lower;
        }
      }
    }
  }

 private:
  static constexpr attend::Rescale kRescale = attend::Rescale::kIfGrown;

  float sums_[C::kRowTiles][C::kHeadDim / 2];
  float logits_[C::kRowTiles][C::kKeys / 2];
  attend::Softmax<kRescale> softmax_[2];  // the second one stays unused with one row tile
  const uint32_t queries_;
  const int first_row_;
  const int lane_;
};

/// The key blocks of one tile, C::kKeys keys a step, from the last to the first.
template <typename C>
struct Steps {
  static constexpr int kPerBlock = kBlock / C::kKeys;

  const uint16_t* list;  // nullptr: every block
  int count;             // listed blocks

  __device__ int total() const { return kPerBlock * count; }
  __device__ int first_key(int step) const {
    const int entry = count - 1 - step / kPerBlock;
    const int block = list == nullptr ? entry : static_cast<int>(list[entry]);
    return block * kBlock + (kPerBlock - 1 - step % kPerBlock) * C::kKeys;
  }
};

template <typename C>
__global__ __launch_bounds__(C::kThreads, 1) void kernel(const __grid_constant__ AttendParams p,
                                                         float scale_log2, int num_blocks) {
  using Element = typename C::Element;
  extern __shared__ __align__(1024) uint8_t dynamic_shared[];
  const auto queries = static_cast<uint32_t>(__cvta_generic_to_shared(dynamic_shared));
  const uint32_t keys = queries + C::kQueryBytes;
  const uint32_t values = keys + kStages * C::kStageBytes;

  // long causal tiles first
  const int item = static_cast<int>(blockIdx.x) / num_blocks;
  const int query = num_blocks - 1 - static_cast<int>(blockIdx.x) % num_blocks;
  const int64_t batch = item / p.num_heads;
  const int64_t head = item % p.num_heads;
  const auto head_of = [&](const AttendTensor& tensor) {
    return static_cast<Element*>(tensor.data) + batch * tensor.batch_stride +
           head * tensor.head_stride;
  };
  const int64_t line = static_cast<int64_t>(item) * num_blocks + query;
  const bool listed = p.keys != nullptr;
  const Steps<C> steps = {.list = listed ? p.keys + line * num_blocks : nullptr,
                          .count = listed     ? p.counts[line]
                                   : p.causal ? query + 1
                                              : num_blocks};
  const auto bring_step = [&](int step, int first_key) {
    if (step < steps.total()) {
      const uint32_t stage = step % kStages * C::kStageBytes;
      bring<C, C::kKeys>(keys + stage, head_of(p.k), p.k.token_stride, first_key, p.num_tokens);
      ptx::commit_copies();
      bring<C, C::kKeys>(values + stage, head_of(p.v), p.v.token_stride, first_key, p.num_tokens);
    } else {
      ptx::commit_copies();
    }
    ptx::commit_copies();
  };

  Rows<C> rows(scale_log2, queries);
  const int first_query = query * kBlock;
  int first_key = steps.total() > 0 ? steps.first_key(0) : 0;
  bring<C, kBlock>(queries, head_of(p.q), p.q.token_stride, first_query, p.num_tokens);
  bring_step(0, first_key);
  for (int step = 0; step < steps.total(); ++step) {
    const int next_key = step + 1 < steps.total() ? steps.first_key(step + 1) : 0;
    ptx::wait_copies<1>();  // all but the values of this step
    __syncthreads();        // and nobody reads the other stage any more
    bring_step(step + 1, next_key);
    const uint32_t stage = step % kStages * C::kStageBytes;
    rows.multiply_keys(keys + stage);
    const bool diagonal = p.causal && first_key + C::kKeys > first_query;
    if (diagonal || first_key + C::kKeys > p.num_tokens) {
      rows.hide_keys(p.num_tokens - first_key, diagonal, first_key - first_query);
    }
    rows.weigh();
    ptx::wait_copies<2>();  // all but the next step's
    __syncthreads();
    rows.multiply_values(values + stage);
    first_key = next_key;
  }
  float* lse =
      p.lse == nullptr ? nullptr : p.lse + static_cast<int64_t>(item) * p.num_tokens + first_query;
  rows.store(head_of(p.out) + first_query * p.out.token_stride, p.out.token_stride, lse,
             p.num_tokens - first_query);
}

}  // namespace reel::attention::kernels::attend_mma
