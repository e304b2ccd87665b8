// Block-sparse attention for Hopper (docs/kernels/sparse_forward.md). A tile is 128 queries of one
// item. One warp brings keys and values by TMA, in the order of the tile's list from its end; two
// warpgroups take 64 queries each through products, online softmax and the store. CTAs persist and
// draw tiles from a counter, item by item, so that all of them read the same keys at a time.
// Letters (docs/SHAPES.md): S joint tokens, A heads, D head dim, n blocks.
#pragma once

#include <cuda.h>

#include "attention/kernels/attend_sm90_layout.cuh"
#include "attention/kernels/attend_softmax.cuh"
#include "attention/kernels/ptx/barrier.cuh"
#include "attention/kernels/ptx/tma.cuh"
#include "attention/kernels/ptx/wgmma_f16.cuh"

namespace reel::attention::kernels::attend {

/// Brings `kRows` tokens of one head, 64 elements of each at a time.
template <int kRows, int kChunks>
__device__ inline void load_tokens(const CUtensorMap& map, bool heads_first, uint32_t target,
                                   uint32_t barrier, int token, int head, int batch) {
  ptx::arrive_expecting(barrier, kRows * kRowBytes * kChunks);
#pragma unroll
  for (int chunk = 0; chunk < kChunks; ++chunk) {
    ptx::load_box(map, target + chunk * kRows * kRowBytes, barrier,
                  {chunk * 64, heads_first ? head : token, heads_first ? token : head, batch, 0});
  }
}

/// The warp that brings tiles into shared memory. Lane 0 issues; all lanes read the lists.
template <typename C>
class Producer {
 public:
  __device__ Producer(const CUtensorMap& q, const CUtensorMap& k, const CUtensorMap& v,
                      const Plan& plan, const Layout<C>& at)
      : q_(q), k_(k), v_(v), plan_(plan), at_(at), lane_(static_cast<int>(threadIdx.x % 32)) {}

  __device__ void run() {
    int tile = static_cast<int>(blockIdx.x);
    while (true) {
      int next = 0;
      if (lane_ == 0) next = atomicAdd(plan_.next_tile, 1) + static_cast<int>(gridDim.x);
      if (tile >= plan_.num_tiles) break;
      bring(tile);
      tile = __shfl_sync(~0U, next, 0);
    }
    announce({-1, 0, 0, 0});
  }

 private:
  __device__ void announce(const Tile& tile) {
    if (lane_ == 0) {
      ptx::wait_barrier(at_.tile_empty + slot_.index * 8, slot_.parity ^ 1U);
      at_.tiles[slot_.index] = make_int4(tile.item, tile.query, tile.count, tile.first_key);
      ptx::arrive(at_.tile_full + slot_.index * 8);
    }
    __syncwarp();
    slot_.advance();
  }

  // Entry `step` of the tile's list, counted from its end, on lane step % 32.
  __device__ int entry(const uint16_t* list, int count, int step) const {
    if (list == nullptr) return count - 1 - step;
    return step < count ? static_cast<int>(list[count - 1 - step]) : 0;
  }

  __device__ void bring(int tile) {
    const int item = tile / plan_.num_blocks;
    const int query = plan_.num_blocks - 1 - tile % plan_.num_blocks;
    const int64_t row = static_cast<int64_t>(item) * plan_.num_blocks + query;
    const uint16_t* list = plan_.keys == nullptr ? nullptr : plan_.keys + row * plan_.num_blocks;
    const int count = list != nullptr ? plan_.counts[row]
                      : plan_.causal  ? query + 1
                                      : plan_.num_blocks;
    int batch_of_keys = entry(list, count, lane_);
    announce({item, query, count, __shfl_sync(~0U, batch_of_keys, 0)});
    if (count == 0) return;
    head_ = item % plan_.num_heads;
    batch_ = item / plan_.num_heads;
    int upcoming = entry(list, count, lane_ + 32);
    int key_before = 0;
    for (int step = 0; step < count; ++step) {
      if (step > 0 && step % 32 == 0) {
        batch_of_keys = upcoming;
        upcoming = entry(list, count, step + lane_ + 32);
      }
      const int key = __shfl_sync(~0U, batch_of_keys, step % 32);
      if (lane_ == 0) {
        bring_keys(key);
        if (step == 0) bring_queries(query);
        if (step > 0) bring_values(key_before);
      }
      key_before = key;
    }
    if (lane_ == 0) bring_values(key_before);
    __syncwarp();
  }

  __device__ void bring_queries(int query) {
    for (int group = 0; group < 2; ++group) {
      ptx::wait_barrier(at_.q_empty + group * 8, q_parity_ ^ 1U);
      load_tokens<kGroupRows, C::kChunks>(q_, plan_.q_heads_first, at_.q + group * C::kQueryBytes,
                                          at_.q_full + group * 8,
                                          query * kBlock + group * kGroupRows, head_, batch_);
    }
    q_parity_ ^= 1U;
  }

  __device__ void bring_keys(int key) {
    ptx::wait_barrier(at_.k_empty + k_stage_.index * 8, k_stage_.parity ^ 1U);
    load_tokens<kBlock, C::kChunks>(k_, plan_.k_heads_first,
                                    at_.k + k_stage_.index * C::kBlockBytes,
                                    at_.k_full + k_stage_.index * 8, key * kBlock, head_, batch_);
    k_stage_.advance();
  }

  __device__ void bring_values(int key) {
    ptx::wait_barrier(at_.v_empty + v_stage_.index * 8, v_stage_.parity ^ 1U);
    load_tokens<kBlock, C::kChunks>(v_, plan_.v_heads_first,
                                    at_.v + v_stage_.index * C::kBlockBytes,
                                    at_.v_full + v_stage_.index * 8, key * kBlock, head_, batch_);
    v_stage_.advance();
  }

  const CUtensorMap& q_;
  const CUtensorMap& k_;
  const CUtensorMap& v_;
  const Plan& plan_;
  const Layout<C>& at_;
  const int lane_;
  int head_ = 0;
  int batch_ = 0;
  Ring<kTileSlots> slot_;
  Ring<C::kStages> k_stage_;
  Ring<C::kStages> v_stage_;
  uint32_t q_parity_ = 0;
};

/// Logits of a warpgroup's 64 queries and one key block, not scaled.
template <typename C>
__device__ inline void issue_logits(float (&logits)[64], uint32_t queries, uint32_t keys) {
  const uint64_t a = ptx::describe_k_major(queries);
  const uint64_t b = ptx::describe_k_major(keys);
#pragma unroll
  for (int step = 0; step < C::kHeadDim / 16; ++step) {
    const int chunk = step / 4;
    const int in_row = step % 4 * 32;
    ptx::wgmma_shared<typename C::Element, kBlock>(
        logits, a + ((chunk * kGroupRows * kRowBytes + in_row) >> 4),
        b + ((chunk * kBlock * kRowBytes + in_row) >> 4), step > 0);
  }
}

/// Adds weights times values to the sums.
template <typename C>
__device__ inline void issue_values(float (&sums)[C::kHeadDim / 2], const uint32_t (&weights)[32],
                                    uint32_t values) {
  const uint64_t b = ptx::describe_n_major(values, kBlock * kRowBytes);
#pragma unroll
  for (int step = 0; step < kBlock / 16; ++step) {
    ptx::wgmma_registers<typename C::Element, C::kHeadDim>(
        sums,
        {weights[step * 4], weights[step * 4 + 1], weights[step * 4 + 2], weights[step * 4 + 3]},
        b + ((step * 16 * kRowBytes) >> 4));
  }
}

/// Hides key columns that the rows may not see. Columns of a thread are 8 i + 2 (t % 4) (+ 1).
__device__ inline void mask_logits(float (&logits)[64], int limit_upper, int limit_lower) {
  const int column = static_cast<int>(threadIdx.x % 4) * 2;
#pragma unroll
  for (int i = 0; i < 16; ++i) {
#pragma unroll
    for (int odd = 0; odd < 2; ++odd) {
      if (8 * i + column + odd >= limit_upper) logits[4 * i + odd] = kNegativeInfinity;
      if (8 * i + column + odd >= limit_lower) logits[4 * i + 2 + odd] = kNegativeInfinity;
    }
  }
}

/// One warpgroup that computes.
template <typename C>
class Consumer {
 public:
  __device__ Consumer(const Plan& plan, const Layout<C>& at, int group)
      : plan_(plan),
        at_(at),
        group_(group),
        row_(group * kGroupRows + static_cast<int>(threadIdx.x / 32 % 4) * 16 +
             static_cast<int>(threadIdx.x % 32 / 4)),
        signals_(threadIdx.x % 32 == 0) {}

  __device__ void run() {
    if (C::kTurns && group_ == 1) ptx::arrive_named<1, 2 * 128>();
    while (true) {
      const Tile tile = next_tile();
      if (tile.item < 0) break;
      float sums[C::kHeadDim / 2];
#pragma unroll
      for (float& sum : sums) sum = 0.0F;
      Softmax<C::kRescale> softmax(plan_.scale_log2);
      if (tile.count > 0) {
        if constexpr (C::kOverlap) {
          attend_overlapped(tile, sums, softmax);
        } else {
          attend_in_order(tile, sums, softmax);
        }
      }
      store(tile, sums, softmax);
    }
  }

 private:
  __device__ Tile next_tile() {
    ptx::wait_barrier(at_.tile_full + slot_.index * 8, slot_.parity);
    const int4 raw = at_.tiles[slot_.index];
    __syncwarp();
    release(at_.tile_empty + slot_.index * 8);
    slot_.advance();
    return {__shfl_sync(~0U, raw.x, 0), __shfl_sync(~0U, raw.y, 0), __shfl_sync(~0U, raw.z, 0),
            __shfl_sync(~0U, raw.w, 0)};
  }

  __device__ void release(uint32_t barrier) const {
    if (signals_) ptx::arrive(barrier);
  }

  __device__ uint32_t queries() const { return at_.q + group_ * C::kQueryBytes; }
  __device__ uint32_t keys() const { return at_.k + k_stage_.index * C::kBlockBytes; }
  __device__ uint32_t values() const { return at_.v + v_stage_.index * C::kBlockBytes; }

  __device__ void wait_keys() const {
    ptx::wait_barrier(at_.k_full + k_stage_.index * 8, k_stage_.parity);
  }
  __device__ void wait_values() const {
    ptx::wait_barrier(at_.v_full + v_stage_.index * 8, v_stage_.parity);
  }
  __device__ void release_keys(bool last) {
    release(at_.k_empty + k_stage_.index * 8);
    k_stage_.advance();
    if (last) release(at_.q_empty + group_ * 8);
  }
  __device__ void release_values() {
    release(at_.v_empty + v_stage_.index * 8);
    v_stage_.advance();
  }

  __device__ void take_turn() const {
    if constexpr (C::kTurns) {
      if (group_ == 0) {
        ptx::sync_named<1, 2 * 128>();
      } else {
        ptx::sync_named<2, 2 * 128>();
      }
    }
  }
  __device__ void pass_turn() const {
    if constexpr (C::kTurns) {
      if (group_ == 0) {
        ptx::arrive_named<2, 2 * 128>();
      } else {
        ptx::arrive_named<1, 2 * 128>();
      }
    }
  }

  // Only the block that is processed first can hold keys that some row must not see: the ragged
  // block is the last of all, and the diagonal one the last of a causal list.
  __device__ void mask_first(const Tile& tile, float (&logits)[64]) const {
    const int first_token = tile.first_key * kBlock;
    const bool diagonal = plan_.causal && tile.first_key == tile.query;
    if (!diagonal && first_token + kBlock <= plan_.num_tokens) return;
    const int end = plan_.num_tokens - first_token;
    mask_logits(logits, diagonal ? min(end, row_ + 1) : end, diagonal ? min(end, row_ + 9) : end);
  }

  // Logits of the first block, waited for.
  __device__ void first_logits(const Tile& tile, float (&logits)[64]) {
    ptx::wait_barrier(at_.q_full + group_ * 8, q_parity_);
    q_parity_ ^= 1U;
    wait_keys();
    ptx::begin_products();
    issue_logits<C>(logits, queries(), keys());
    ptx::commit_products();
    ptx::wait_products<0>();
    ptx::pin(logits);
    release_keys(tile.count == 1);
    mask_first(tile, logits);
  }

  __device__ void attend_in_order(const Tile& tile, float (&sums)[C::kHeadDim / 2],
                                  Softmax<C::kRescale>& softmax) {
    float logits[64];
    uint32_t weights[32];
    for (int step = 0; step < tile.count; ++step) {
      if (step == 0) {
        first_logits(tile, logits);
      } else {
        wait_keys();
        ptx::begin_products();
        issue_logits<C>(logits, queries(), keys());
        ptx::commit_products();
        ptx::wait_products<0>();
        ptx::pin(logits);
        release_keys(step + 1 == tile.count);
      }
      softmax.weigh(logits);
      softmax.rescale(sums);
      pack<typename C::Element>(logits, weights);
      wait_values();
      ptx::pin(sums);
      ptx::pin(weights);
      ptx::begin_products();
      issue_values<C>(sums, weights, values());
      ptx::commit_products();
      ptx::wait_products<0>();
      ptx::pin(sums);
      release_values();
    }
  }

  // While one block's logits go through the softmax, the block before is multiplied with its
  // values; with turns, the other warpgroup's products also run then.
  __device__ void attend_overlapped(const Tile& tile, float (&sums)[C::kHeadDim / 2],
                                    Softmax<C::kRescale>& softmax) {
    float logits[64];
    uint32_t weights[32];
    first_logits(tile, logits);
    softmax.weigh(logits);
    pack<typename C::Element>(logits, weights);
    for (int step = 1; step < tile.count; ++step) {
      wait_keys();
      take_turn();
      ptx::pin(sums);
      ptx::pin(weights);
      ptx::begin_products();
      issue_logits<C>(logits, queries(), keys());
      ptx::commit_products();
      wait_values();
      ptx::begin_products();
      issue_values<C>(sums, weights, values());
      ptx::commit_products();
      pass_turn();
      ptx::wait_products<1>();
      ptx::pin(logits);
      release_keys(step + 1 == tile.count);
      softmax.weigh(logits);
      ptx::wait_products<0>();
      ptx::pin(sums);
      release_values();
      softmax.rescale(sums);
      pack<typename C::Element>(logits, weights);
    }
    wait_values();
    ptx::pin(sums);
    ptx::pin(weights);
    ptx::begin_products();
    issue_values<C>(sums, weights, values());
    ptx::commit_products();
    ptx::wait_products<0>();
    ptx::pin(sums);
    release_values();
  }

  __device__ void store(const Tile& tile, float (&sums)[C::kHeadDim / 2],
                        Softmax<C::kRescale>& softmax) const {
    const RowEnds ends = softmax.finish();
    const int head = tile.item % plan_.num_heads;
    const int batch = tile.item / plan_.num_heads;
    auto* out = static_cast<typename C::Element*>(plan_.out.data) + batch * plan_.out.batch_stride +
                head * plan_.out.head_stride;
#pragma unroll
    for (int lower = 0; lower < 2; ++lower) {
      const int token = tile.query * kBlock + row_ + 8 * lower;
      const bool inside = token < plan_.num_tokens;
      const float scale = lower == 0 ? ends.scale_upper : ends.scale_lower;
      store_row<typename C::Element, C::kHeadDim>(sums, lower, scale, inside,
                                                  out + token * plan_.out.token_stride);
      if (plan_.lse != nullptr && inside && threadIdx.x % 4 == 0) {
        plan_.lse[static_cast<int64_t>(tile.item) * plan_.num_tokens + token] =
            lower == 0 ? ends.lse_upper : ends.lse_lower;
      }
    }
  }

  const Plan& plan_;
  const Layout<C>& at_;
  const int group_;
  const int row_;  // of this thread in the tile; it has the row 8 below too
  const bool signals_;
  Ring<kTileSlots> slot_;
  Ring<C::kStages> k_stage_;
  Ring<C::kStages> v_stage_;
  uint32_t q_parity_ = 0;
};

template <typename C>
__global__ __launch_bounds__(kThreads, 1) void kernel(const __grid_constant__ CUtensorMap q,
                                                      const __grid_constant__ CUtensorMap k,
                                                      const __grid_constant__ CUtensorMap v,
                                                      const __grid_constant__ Plan plan) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  extern __shared__ uint8_t dynamic_shared[];
  const Layout<C> at(dynamic_shared);
  if (threadIdx.x == 0) at.init_barriers();
  __syncthreads();
  const int warpgroup = __shfl_sync(~0U, static_cast<int>(threadIdx.x / 128), 0);
  if (warpgroup == 0) {
    ptx::shrink_registers<40>();
    if (threadIdx.x < 32) Producer<C>(q, k, v, plan, at).run();
  } else {
    ptx::grow_registers<232>();
    Consumer<C>(plan, at, warpgroup - 1).run();
  }
#endif
}

}  // namespace reel::attention::kernels::attend
