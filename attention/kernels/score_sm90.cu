#include "attention/kernels/score_sm90.cuh"
#include "attention/kernels/tensor_map.h"

#include <algorithm>
#include <array>

namespace reel::attention::kernels {
namespace {

// The kernel's coordinates have the same order for both operands.
bool heads_are_closer(const ScoredTokens& tokens) {
  return tokens.head_stride < tokens.token_stride;
}

// [batch, head, strided row, phase, d] of the scored tokens, in boxes of 128 rows of one phase.
cudaError_t make_map(const ScoreParams& params, const ScoredTokens& tokens, CUtensorMap& map) {
  const bool bf16 = params.dtype == ScoreDtype::kBf16;
  const uint64_t bytes = bf16 ? 2 : 1;
  const auto stride = static_cast<uint64_t>(params.stride);
  const uint64_t rows = static_cast<uint64_t>(params.num_scored) * 128 / stride;
  const uint64_t token_bytes = tokens.token_stride * bytes;
  const MapDim dim = {static_cast<uint64_t>(params.head_dim), bytes, bf16 ? 64U : 128U};
  const MapDim phase = {stride, token_bytes, 1};
  const MapDim row = {rows, token_bytes * stride, 128};
  const MapDim head = {static_cast<uint64_t>(params.num_heads), tokens.head_stride * bytes, 1};
  const MapDim batch = {static_cast<uint64_t>(params.num_batches), tokens.batch_stride * bytes, 1};
  return make_tensor_map(tokens.data,
                         bf16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_UINT8,
                         heads_are_closer(tokens) ? std::array{dim, head, phase, row, batch}
                                                  : std::array{dim, phase, row, head, batch},
                         map);
}

int divide_up(int value, int unit) {
  return (value + unit - 1) / unit;
}

template <int kStride, ScoreDtype kDtype, int kCluster, bool kApart = false>
cudaError_t launch(const ScoreParams& params, const ScoreTuning& tuning, cudaStream_t stream) {
  if (heads_are_closer(params.q) != heads_are_closer(params.k)) return cudaErrorInvalidValue;
  CUtensorMap q_map, k_map;
  auto status = make_map(params, params.q, q_map);
  if (status == cudaSuccess) status = make_map(params, params.k, k_map);
  if (status != cudaSuccess) return status;
  const int per_block = 128 / kStride;
  ScorePlan plan = {.block_lse = params.block_lse,
                    .scale = params.scale,
                    .q_magnitude = params.q_magnitude,
                    .k_magnitude = params.k_magnitude,
                    .num_heads = params.num_heads,
                    .head_dim = params.head_dim,
                    .stride = params.stride,
                    .first_item = params.first_item,
                    .first_row = params.first_query * per_block,
                    .num_rows = params.num_queries * per_block,
                    .num_columns = params.num_scored * per_block,
                    .padded = divide_up(params.num_scored, 8) * 8,
                    .row_tiles = 0,
                    .column_tiles = 0,
                    .num_tiles = 0,
                    .band = tuning.band,
                    .causal = params.causal,
                    .skew = tuning.skew,
                    .head_before_phase = heads_are_closer(params.q)};
  plan.row_tiles = divide_up(plan.num_rows, kScoreRows * kCluster);
  plan.column_tiles = divide_up(plan.num_columns, kScoreColumns);
  plan.num_tiles = params.num_items * plan.row_tiles * plan.column_tiles;
  const auto function = score::kernel<kStride, kDtype, kCluster, kApart>;
  status = cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                static_cast<int>(kScoreSharedBytes));
  if (status != cudaSuccess) return status;
  int device = 0;
  int num_sms = 0;
  status = cudaGetDevice(&device);
  if (status != cudaSuccess) return status;
  status = cudaDeviceGetAttribute(&num_sms, cudaDevAttrMultiProcessorCount, device);
  if (status != cudaSuccess) return status;
  const int num_clusters = std::min(num_sms / kCluster, plan.num_tiles);
  function<<<static_cast<unsigned>(num_clusters * kCluster), kScoreThreads, kScoreSharedBytes,
             stream>>>(q_map, k_map, plan);
  return cudaGetLastError();
}

template <int kStride>
cudaError_t launch_stride(const ScoreParams& params, const ScoreTuning& tuning,
                          cudaStream_t stream) {
  const bool pairs = tuning.cluster == 2;
  if (params.dtype == ScoreDtype::kE4m3) {
    if (tuning.apart) return launch<kStride, ScoreDtype::kE4m3, 2, true>(params, tuning, stream);
    return pairs ? launch<kStride, ScoreDtype::kE4m3, 2>(params, tuning, stream)
                 : launch<kStride, ScoreDtype::kE4m3, 1>(params, tuning, stream);
  }
  return pairs ? launch<kStride, ScoreDtype::kBf16, 2>(params, tuning, stream)
               : launch<kStride, ScoreDtype::kBf16, 1>(params, tuning, stream);
}

}  // namespace

cudaError_t launch_score_sm90(const ScoreParams& params, const ScoreTuning& tuning,
                              cudaStream_t stream) {
  if (params.num_queries == 0 || params.num_items == 0) return cudaSuccess;
  const int chunk = params.dtype == ScoreDtype::kBf16 ? 64 : 128;
  const bool scaled = params.q_magnitude != nullptr && params.k_magnitude != nullptr;
  if (params.head_dim % chunk != 0 || (params.dtype == ScoreDtype::kE4m3) != scaled) {
    return cudaErrorInvalidValue;
  }
  switch (params.stride) {
    case 4:
      return launch_stride<4>(params, tuning, stream);
    case 8:
      return launch_stride<8>(params, tuning, stream);
    case 16:
      return launch_stride<16>(params, tuning, stream);
    default:
      return cudaErrorInvalidValue;
  }
}

}  // namespace reel::attention::kernels
