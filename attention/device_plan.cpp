#include "attention/device_plan.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "attention/kernels/quantise.h"
#include "attention/kernels/select.h"
#include "core/device.h"
#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::attention {
namespace {

int32_t to_int(int64_t value) {
  return static_cast<int32_t>(value);
}

int64_t divide_up(int64_t value, int64_t unit) {
  return (value + unit - 1) / unit;
}

int64_t padded_blocks(const BlockGrid& grid) {
  return divide_up(grid.num_scored(), 8) * 8;
}

int64_t bytes_per_query(const BlockGrid& grid) {
  return grid.strided_per_block() * padded_blocks(grid) * 4;
}

void check_launch(std::string_view where, cudaError_t status) {
  if (status == cudaSuccess) return;
  fail<DeviceError>(where, ": launch failed: ", cudaGetErrorString(status));
}

bool rows_are_aligned(const at::Tensor& x) {
  constexpr int64_t kElements = 8;  // 16 bytes
  const auto fits = [&](int64_t dim) { return x.size(dim) == 1 || x.stride(dim) % kElements == 0; };
  return x.stride(2) == 1 && fits(0) && fits(1) &&
         reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0;
}

kernels::ScoredTokens tokens_of(const at::Tensor& x) {
  return {.data = x.const_data_ptr(),
          .batch_stride = 0,
          .token_stride = x.stride(0),
          .head_stride = x.stride(1)};
}

// A small host array on the device; from pinned memory, so that nothing waits.
at::Tensor upload(std::span<const double> values, at::Device device) {
  at::Tensor host =
      at::empty({std::ssize(values)}, at::TensorOptions(at::kDouble).pinned_memory(true));
  std::copy(values.begin(), values.end(), host.data_ptr<double>());
  return host.to(device, /*non_blocking=*/true);
}

DevicePlan empty_plan(int64_t num_heads, int64_t num_blocks, at::Device device) {
  const auto of = [&](at::ScalarType dtype) { return at::TensorOptions(dtype).device(device); };
  return {.keys = at::empty({num_heads, num_blocks, num_blocks}, of(at::kUInt16)),
          .counts = at::empty({num_heads, num_blocks}, of(at::kInt)),
          .mask_words = at::empty({num_heads, num_blocks, divide_up(num_blocks, 32)}, of(at::kInt)),
          .selected = at::zeros({num_heads}, of(at::kLong)),
          .block_mass = {}};
}

kernels::BlockListPointers pointers_of(const DevicePlan& plan) {
  return {.keys = plan.keys.data_ptr<uint16_t>(),
          .counts = plan.counts.data_ptr<int32_t>(),
          .mask = reinterpret_cast<uint32_t*>(plan.mask_words.data_ptr<int32_t>()),
          .selected = reinterpret_cast<unsigned long long*>(plan.selected.data_ptr<int64_t>())};
}

cudaStream_t current_stream(at::Device device) {
  return c10::cuda::getCurrentCUDAStream(device.index()).stream();
}

}  // namespace

ScoreKernel best_score_kernel(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid) {
  const bool strided = grid.stride == 4 || grid.stride == 8 || grid.stride == 16;
  if (!q.is_cuda() || q.scalar_type() != at::kBFloat16 || grid.block != 128 || !strided ||
      grid.num_blocks() > kernels::kMaxSelectBlocks) {
    return ScoreKernel::kNone;
  }
  const int major = compute_capability_major(q.device());
  if (major < 8) return ScoreKernel::kNone;
  const bool fits =
      (q.size(2) == 64 || q.size(2) == 128) && rows_are_aligned(q) && rows_are_aligned(k);
  if (!fits) return ScoreKernel::kSimple;
  const bool same_order = (q.stride(1) < q.stride(0)) == (k.stride(1) < k.stride(0));
  return major == 9 && same_order ? ScoreKernel::kSm90 : ScoreKernel::kMma;
}

ScoredOperand scored_operand(const at::Tensor& x, const BlockGrid& grid, ScoreKernel kernel) {
  check_grid(grid);
  check_tensor("scored_operand", x, "x", {{'S', grid.num_tokens}, {'A', kAny}, {'D', kAny}},
               at::kBFloat16);
  if (kernel != ScoreKernel::kSm90E4m3) return {x, {}};
  const int64_t num_tokens = grid.num_scored() * grid.block;
  const ScoredOperand rounded = {
      at::empty({x.size(1), num_tokens, x.size(2)}, x.options().dtype(at::kByte)),
      at::zeros({x.size(1)}, x.options().dtype(at::kFloat))};
  const kernels::QuantiseParams params = {.from = tokens_of(x),
                                          .to = rounded.tokens.data_ptr<uint8_t>(),
                                          .magnitude = rounded.magnitude.data_ptr<float>(),
                                          .num_heads = to_int(x.size(1)),
                                          .num_items = to_int(x.size(1)),
                                          .num_tokens = to_int(num_tokens),
                                          .head_dim = to_int(x.size(2))};
  const c10::cuda::CUDAGuard guard(x.device());
  check_launch("quantise", kernels::launch_quantise(params, current_stream(x.device())));
  return rounded;
}

at::Tensor score_part(const ScoredOperand& q, const ScoredOperand& k, const BlockGrid& grid,
                      const ScorePart& part, ScoreKernel kernel,
                      const kernels::ScoreTuning& tuning) {
  const bool e4m3 = kernel == ScoreKernel::kSm90E4m3;
  const at::Device device = q.tokens.device();
  const at::Tensor scores =
      at::empty({part.num_heads, part.num_queries * grid.strided_per_block(), padded_blocks(grid)},
                at::TensorOptions(at::kFloat).device(device));
  const auto tokens = [&](const at::Tensor& x) {
    return e4m3 ? tokens_of(x.transpose(0, 1)) : tokens_of(x);
  };
  const auto head_dim = static_cast<double>(q.tokens.size(2));
  double scale = std::numbers::log2e / (std::sqrt(head_dim) * static_cast<double>(grid.stride));
  if (e4m3) scale /= double{kernels::kLargestE4m3} * double{kernels::kLargestE4m3};
  const kernels::ScoreParams params = {
      .q = tokens(q.tokens),
      .k = tokens(k.tokens),
      .dtype = e4m3 ? kernels::ScoreDtype::kE4m3 : kernels::ScoreDtype::kBf16,
      .block_lse = scores.data_ptr<float>(),
      .scale = static_cast<float>(scale),
      .q_magnitude = e4m3 ? q.magnitude.const_data_ptr<float>() : nullptr,
      .k_magnitude = e4m3 ? k.magnitude.const_data_ptr<float>() : nullptr,
      .num_batches = 1,
      .num_heads = to_int(q.tokens.size(e4m3 ? 0 : 1)),
      .head_dim = to_int(q.tokens.size(2)),
      .stride = to_int(grid.stride),
      .num_scored = to_int(grid.num_scored()),
      .first_item = to_int(part.first_head),
      .num_items = to_int(part.num_heads),
      .first_query = to_int(part.first_query),
      .num_queries = to_int(part.num_queries),
      .causal = grid.causal};
  const c10::cuda::CUDAGuard guard(device);
  const cudaStream_t stream = current_stream(device);
  const auto launch = [&] {
    switch (kernel) {
      case ScoreKernel::kSimple:
        return kernels::launch_score_simple(params, stream);
      case ScoreKernel::kMma:
        return kernels::launch_score_mma(params, stream);
      default:
        return kernels::launch_score_sm90(params, tuning, stream);
    }
  };
  check_launch("score", launch());
  return scores;
}

std::vector<ScorePart> score_parts(const BlockGrid& grid, int64_t num_heads, int64_t cap_bytes) {
  constexpr int64_t kQueryUnit = 32;  // whole tiles of every stride
  const int64_t num_scored = grid.num_scored();
  std::vector<ScorePart> parts;
  if (num_scored == 0) return parts;
  const int64_t heads_at_once =
      std::min(num_heads, cap_bytes / (bytes_per_query(grid) * num_scored));
  if (heads_at_once > 0) {
    const int64_t even = divide_up(num_heads, divide_up(num_heads, heads_at_once));
    for (int64_t head = 0; head < num_heads; head += even) {
      parts.push_back({head, std::min(even, num_heads - head), 0, num_scored});
    }
    return parts;
  }
  int64_t queries = std::max<int64_t>(cap_bytes / bytes_per_query(grid), 1);
  if (queries > kQueryUnit) queries -= queries % kQueryUnit;
  for (int64_t head = 0; head < num_heads; ++head) {
    for (int64_t query = 0; query < num_scored; query += queries) {
      parts.push_back({head, 1, query, std::min(queries, num_scored - query)});
    }
  }
  return parts;
}

at::Tensor DevicePlan::mask() const {
  const at::Tensor bits = at::arange(32, counts.options());
  const int64_t num_blocks = counts.size(1);
  return mask_words.unsqueeze(3)
      .bitwise_right_shift(bits)
      .bitwise_and(1)
      .flatten(2)
      .slice(2, 0, num_blocks)
      .ne(0);
}

DevicePlan DevicePlan::of_mask(const at::Tensor& mask) {
  check_tensor("DevicePlan", mask, "mask", {{'A', kAny}, {'n', kAny}, {'n', mask.size(-1)}});
  const at::Tensor bytes = mask.to(at::kByte).contiguous();
  const DevicePlan plan = empty_plan(mask.size(0), mask.size(1), mask.device());
  const c10::cuda::CUDAGuard guard(mask.device());
  check_launch("lists of mask",
               kernels::launch_lists_of_mask(bytes.const_data_ptr<uint8_t>(), to_int(mask.size(0)),
                                             to_int(mask.size(1)), pointers_of(plan),
                                             current_stream(mask.device())));
  return plan;
}

DevicePlan plan_on_device(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid,
                          std::span<const double> taus, const Protection& protection,
                          const PlanOptions& options, std::vector<TimePoint>& moments) {
  check_grid(grid);
  const int64_t num_heads = q.size(1);
  if (std::ssize(taus) != num_heads) {
    fail<ShapeError>("plan_on_device: taus: got ", taus.size(), ", want one for each of ",
                     num_heads, " heads");
  }
  DevicePlan plan = empty_plan(num_heads, grid.num_blocks(), q.device());
  if (options.keep_mass) {
    plan.block_mass =
        at::empty({num_heads, grid.num_scored(), grid.num_scored()}, q.options().dtype(at::kFloat));
  }
  const at::Tensor device_taus = upload(taus, q.device());
  kernels::SelectParams params = {
      .block_lse = nullptr,
      .taus = device_taus.const_data_ptr<double>(),
      .lists = pointers_of(plan),
      .block_mass = options.keep_mass ? plan.block_mass.data_ptr<float>() : nullptr,
      .num_heads = to_int(num_heads),
      .first_item = 0,
      .num_items = to_int(num_heads),
      .first_query = 0,
      .num_queries = 0,
      .unscored_queries = true,
      .num_blocks = to_int(grid.num_blocks()),
      .num_scored = to_int(grid.num_scored()),
      .rows_per_block = to_int(grid.strided_per_block()),
      .causal = grid.causal,
      .self = protection.self,
      .sink = to_int(protection.sink),
      .by_block = options.select_by_block};
  const c10::cuda::CUDAGuard guard(q.device());
  const cudaStream_t stream = current_stream(q.device());
  const auto parts = score_parts(grid, num_heads, options.workspace_bytes);
  if (parts.empty()) check_launch("select", kernels::launch_select(params, stream));
  ScoredOperand scored_q, scored_k;
  for (const ScorePart& part : parts) {
    moments.push_back(TimePoint::now(q.device()));
    if (!scored_q.tokens.defined()) {  // the first part's time has it
      scored_q = scored_operand(q, grid, options.kernel);
      scored_k = scored_operand(k, grid, options.kernel);
    }
    const at::Tensor scores =
        score_part(scored_q, scored_k, grid, part, options.kernel, options.tuning);
    moments.push_back(TimePoint::now(q.device()));
    params.block_lse = scores.const_data_ptr<float>();
    params.first_item = to_int(part.first_head);
    params.num_items = to_int(part.num_heads);
    params.first_query = to_int(part.first_query);
    params.num_queries = to_int(part.num_queries);
    params.unscored_queries = part.first_query + part.num_queries == grid.num_scored();
    check_launch("select", kernels::launch_select(params, stream));
    moments.push_back(TimePoint::now(q.device()));
  }
  return plan;
}

}  // namespace reel::attention
