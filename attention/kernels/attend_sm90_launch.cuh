// Host side of the Hopper attention kernel: tensor maps, plan, launch. Included by one source for
// each variant, so that they compile in parallel.
#pragma once

#include <algorithm>
#include <numbers>

#include "attention/kernels/attend_sm90.cuh"
#include "attention/kernels/tensor_map.h"

namespace reel::attention::kernels::attend {

/// Maps list the nearer of tokens and heads first.
inline bool heads_first(const AttendTensor& tensor) {
  return tensor.head_stride < tensor.token_stride;
}

/// [batch, tokens and heads, D] in boxes of `rows` tokens of one head.
inline cudaError_t make_map(const AttendParams& params, const AttendTensor& tensor, uint32_t rows,
                            CUtensorMap& map) {
  const MapDim dim = {static_cast<uint64_t>(params.head_dim), 2, 64};
  const MapDim token = {static_cast<uint64_t>(params.num_tokens),
                        static_cast<uint64_t>(tensor.token_stride) * 2, rows};
  const MapDim head = {static_cast<uint64_t>(params.num_heads),
                       static_cast<uint64_t>(tensor.head_stride) * 2, 1};
  const MapDim batch = {static_cast<uint64_t>(params.num_batches),
                        static_cast<uint64_t>(tensor.batch_stride) * 2, 1};
  const MapDim none = {1, 16, 1};
  return make_tensor_map(tensor.data,
                         params.dtype == AttendDtype::kBf16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                                            : CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
                         heads_first(tensor) ? std::array{dim, head, token, batch, none}
                                             : std::array{dim, token, head, batch, none},
                         map);
}

template <typename C>
cudaError_t launch(const AttendParams& params, cudaStream_t stream) {
  CUtensorMap q, k, v;
  auto status = make_map(params, params.q, kGroupRows, q);
  if (status == cudaSuccess) status = make_map(params, params.k, kBlock, k);
  if (status == cudaSuccess) status = make_map(params, params.v, kBlock, v);
  if (status != cudaSuccess) return status;
  const int num_blocks = (params.num_tokens + kBlock - 1) / kBlock;
  const Plan plan = {.out = params.out,
                     .lse = params.lse,
                     .keys = params.keys,
                     .counts = params.counts,
                     .next_tile = params.next_tile,
                     .scale_log2 = params.scale * std::numbers::log2e_v<float>,
                     .num_tokens = params.num_tokens,
                     .num_heads = params.num_heads,
                     .num_blocks = num_blocks,
                     .num_tiles = params.num_batches * params.num_heads * num_blocks,
                     .causal = params.causal,
                     .q_heads_first = heads_first(params.q),
                     .k_heads_first = heads_first(params.k),
                     .v_heads_first = heads_first(params.v)};
  const auto function = kernel<C>;
  status = cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                static_cast<int>(C::kSharedBytes));
  int device = 0;
  int num_sms = 0;
  if (status == cudaSuccess) status = cudaGetDevice(&device);
  if (status == cudaSuccess) {
    status = cudaDeviceGetAttribute(&num_sms, cudaDevAttrMultiProcessorCount, device);
  }
  if (status == cudaSuccess) status = cudaMemsetAsync(params.next_tile, 0, 4, stream);
  if (status != cudaSuccess) return status;
  const auto grid = static_cast<unsigned>(std::min(num_sms, plan.num_tiles));
  function<<<grid, kThreads, C::kSharedBytes, stream>>>(q, k, v, plan);
  return cudaGetLastError();
}

/// One variant of one head dim, defined in a source of its own.
template <typename Element, int kHeadDim, AttendVariant kVariant>
cudaError_t launch_variant(const AttendParams& params, cudaStream_t stream);

/// Defines it.
#define REEL_ATTEND_VARIANT(Element, kHeadDim, kVariant, kStages, kOverlap, kTurns, kRescale) \
  template <>                                                                                 \
  cudaError_t launch_variant<Element, kHeadDim, AttendVariant::kVariant>(                     \
      const AttendParams& params, cudaStream_t stream) {                                      \
    return launch<Config<Element, kHeadDim, kStages, kOverlap, kTurns, Rescale::kRescale>>(   \
        params, stream);                                                                      \
  }

}  // namespace reel::attention::kernels::attend
