#include "attention/xattention.h"

#include <ATen/ATen.h>

#include <optional>

#include "attention/attend_result.h"
#include "attention/reference.h"
#include "attention/xattention_cpu.h"
#include "attention/xattention_torch.h"
#include "core/error.h"
#include "core/tensor_check.h"

#if REEL_CUDA
#include "attention/device_attend.h"
#include "attention/device_plan.h"
#endif

namespace reel::attention {
namespace {

void check_call(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                const SparseCall& call) {
  const auto num_heads = std::ssize(call.taus);
  for (const auto& [name, tensor] : {std::pair{"q", q}, std::pair{"k", k}, std::pair{"v", v}}) {
    check_tensor("run_sparse_call", tensor, name,
                 {{'S', call.grid.num_tokens}, {'A', num_heads}, {'D', q.size(-1)}},
                 q.scalar_type());
  }
  if (call.given_mask.defined()) {
    const int64_t num_blocks = call.grid.num_blocks();
    check_tensor("run_sparse_call", call.given_mask, "given plan",
                 {{'A', num_heads}, {'n', num_blocks}, {'n', num_blocks}});
  }
}

at::Tensor score(const at::Tensor& q, const at::Tensor& k, const SparseCall& call) {
  if (call.rule == SparseRule::kReference) return score_blocks_reference(q, k, call.grid);
  if (call.selection.pattern == ScorePattern::kMeanPool) {
    return score_mean_blocks(q, k, call.grid);
  }
  at::Tensor queries = reorder_phases(q, call.grid, call.selection);
  at::Tensor keys = k;
  if (call.selection.precision == ScorePrecision::kE4m3) {
    queries = round_to_e4m3(queries, call.grid);
    keys = round_to_e4m3(keys, call.grid);
  }
  return q.is_cpu() ? score_blocks_cpu(queries, keys, call.grid)
                    : score_blocks_torch(queries, keys, call.grid);
}

BlockLists select_on_cpu(const at::Tensor& mass, const SparseCall& call) {
  if (call.rule == SparseRule::kReference) {
    return BlockLists::from_mask(select_blocks_reference(mass, call.taus, call.grid));
  }
  if (call.selection.rule == CountRule::kTau) {
    return select_blocks(mass, call.taus, call.grid, call.protection);
  }
  return BlockLists::from_mask(select_top_blocks(mass, call.selection, call.grid, call.protection));
}

at::Tensor select_by_torch(const at::Tensor& mass, const SparseCall& call) {
  if (call.rule == SparseRule::kReference) {
    return select_blocks_reference(mass, call.taus, call.grid);
  }
  if (call.selection.rule == CountRule::kTau) {
    return select_blocks_torch(mass, call.taus, call.grid, call.protection);
  }
  return select_top_blocks(mass, call.selection, call.grid, call.protection);
}

at::Tensor select(const at::Tensor& mass, const SparseCall& call) {
  return mass.is_cpu() ? select_on_cpu(mass, call).mask().ne(0) : select_by_torch(mass, call);
}

SparseResult run_on_cpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                        const SparseCall& call) {
  const auto start = TimePoint::now(q.device());
  const at::Tensor mass = score(q, k, call);
  const auto scored = TimePoint::now(q.device());
  BlockLists lists = select_on_cpu(mass, call);
  if (call.given_mask.defined()) lists = BlockLists::from_mask(call.given_mask);
  const auto selected = TimePoint::now(q.device());
  AttendResult result = attend_blocks_cpu(q, k, v, lists, call.grid);
  const auto end = TimePoint::now(q.device());
  return {.out = result.out,
          .lse = result.lse,
          .density = HeadDensity(lists.density()),
          .borders = {{start, scored, selected, end}},
          .block_mass = call.keep_plan ? mass : at::Tensor(),
          .mask = call.keep_plan ? lists.mask() : at::Tensor()};
}

SparseResult run_by_torch(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          const SparseCall& call) {
  const auto start = TimePoint::now(q.device());
  const at::Tensor mass = score(q, k, call);
  const auto scored = TimePoint::now(q.device());
  at::Tensor mask = select_by_torch(mass, call);
  if (call.given_mask.defined()) mask = call.given_mask.ne(0).to(q.device());
  const auto selected = TimePoint::now(q.device());
  AttendResult result = attend_blocks_torch(q, k, v, mask, call.grid);
  const auto end = TimePoint::now(q.device());
  const at::Tensor counts = mask.sum({1, 2});
  const auto num_pairs = static_cast<double>(mask.size(1) * mask.size(2));
  const auto density = [&] {
    if (counts.is_cuda()) return HeadDensity(counts, num_pairs);
    const at::Tensor values = counts.to(at::kDouble) / num_pairs;
    const double* first = values.const_data_ptr<double>();
    return HeadDensity(std::vector<double>(first, first + values.numel()));
  };
  return {.out = result.out,
          .lse = result.lse,
          .density = density(),
          .borders = {{start, scored, selected, end}},
          .block_mass = call.keep_plan ? mass : at::Tensor(),
          .mask = call.keep_plan ? mask.to(at::kCPU, at::kByte) : at::Tensor()};
}

#if REEL_CUDA

// Scores and selects by our kernels alone; none for rules and layouts that they do not know.
std::optional<DevicePlan> plan_by_kernels(const at::Tensor& q, const at::Tensor& k,
                                          const SparseCall& call, std::vector<TimePoint>& moments) {
  if (call.rule != SparseRule::kXAttention || call.selection.rule != CountRule::kTau ||
      call.selection.pattern == ScorePattern::kMeanPool) {
    return std::nullopt;
  }
  const at::Tensor queries = reorder_phases(q, call.grid, call.selection);
  ScoreKernel kernel = best_score_kernel(queries, k, call.grid);
  // kSimple is slower than LibTorch's products
  if (kernel != ScoreKernel::kSm90 && kernel != ScoreKernel::kMma) return std::nullopt;
  if (call.kernels == GpuKernels::kMma) kernel = ScoreKernel::kMma;
  PlanOptions options;
  if (call.selection.precision == ScorePrecision::kE4m3) {
    if (kernel != ScoreKernel::kSm90 || q.size(2) != 128) return std::nullopt;
    kernel = ScoreKernel::kSm90E4m3;
    options.tuning.apart = true;  // the tensor cores' own sums are too coarse
    options.tuning.skew = false;  // the faster way (docs/kernels/score.md)
  }
  options.kernel = kernel;
  options.keep_mass = call.keep_plan;
  return plan_on_device(queries, k, call.grid, call.taus, call.protection, options, moments);
}

// What plan_by_kernels leaves: any rule, in lists for the attention kernel.
DevicePlan plan_by_torch(const at::Tensor& q, const at::Tensor& k, const SparseCall& call,
                         std::vector<TimePoint>& moments) {
  moments.push_back(TimePoint::now(q.device()));
  const at::Tensor mass = score(q, k, call);
  moments.push_back(TimePoint::now(q.device()));
  DevicePlan plan = DevicePlan::of_mask(select_by_torch(mass, call));
  plan.block_mass = mass;
  moments.push_back(TimePoint::now(q.device()));
  return plan;
}

// `moments` has three of every part of the plan: its start, and the ends of scoring and selecting.
std::vector<StageBorders> borders_of(const std::vector<TimePoint>& moments,
                                     const TimePoint& planned, const TimePoint& end) {
  std::vector<StageBorders> borders;
  for (size_t i = 0; i + 2 < moments.size(); i += 3) {
    borders.push_back({moments[i], moments[i + 1], moments[i + 2], moments[i + 2]});
  }
  const TimePoint& selected = moments.empty() ? planned : moments.back();
  borders.push_back({selected, selected, planned, end});
  return borders;
}

SparseResult run_by_kernels(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const SparseCall& call, kernels::AttendVariant variant) {
  std::vector<TimePoint> moments;
  auto by_kernels = plan_by_kernels(q, k, call, moments);
  DevicePlan plan = by_kernels ? *std::move(by_kernels) : plan_by_torch(q, k, call, moments);
  const at::Tensor mass = plan.block_mass;
  if (call.given_mask.defined()) {
    const at::Tensor mask = call.given_mask.ne(0).to(q.device());
    plan = DevicePlan::of_mask(call.grid.causal ? mask.tril() : mask);
  }
  const auto planned = TimePoint::now(q.device());
  const auto attended = attend_on_device(
      q.unsqueeze(0), k.unsqueeze(0), v.unsqueeze(0), DeviceLists{plan.keys, plan.counts},
      call.grid.causal, variant, call.out.defined() ? call.out.unsqueeze(0) : at::Tensor());
  const auto end = TimePoint::now(q.device());
  const auto num_blocks = static_cast<double>(call.grid.num_blocks());
  return {.out = attended.out[0],
          .lse = attended.lse[0],
          .density = HeadDensity(plan.selected, num_blocks * num_blocks),
          .borders = borders_of(moments, planned, end),
          .block_mass = call.keep_plan ? mass : at::Tensor(),
          .mask = call.keep_plan ? plan.mask().to(at::kCPU, at::kByte) : at::Tensor()};
}

#endif

}  // namespace

at::Tensor select_mask(const at::Tensor& q, const at::Tensor& k, const SparseCall& call) {
  check_call(q, k, k, call);
#if REEL_CUDA
  if (sparse_runs_sm90(q, k, k, call.grid.block, call.kernels) ||
      sparse_runs_mma(q, k, k, call.grid.block, call.kernels)) {
    std::vector<TimePoint> moments;
    if (const auto plan = plan_by_kernels(q, k, call, moments)) return plan->mask();
  }
#endif
  return select(score(q, k, call), call);
}

std::vector<at::Tensor> select_masks(const at::Tensor& q, const at::Tensor& k,
                                     const SparseCall& call, std::span<const double> taus) {
  check_call(q, k, k, call);
  const at::Tensor mass = score(q, k, call);
  std::vector<at::Tensor> masks;
  SparseCall with_tau = call;
  for (const double tau : taus) {
    with_tau.taus.assign(call.taus.size(), tau);
    masks.push_back(select(mass, with_tau));
  }
  return masks;
}

SparseResult run_sparse_call(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const SparseCall& call) {
  check_call(q, k, v, call);
#if REEL_CUDA
  if (sparse_runs_sm90(q, k, v, call.grid.block, call.kernels)) {
    return run_by_kernels(q, k, v, call, kBestAttendVariant);
  }
  if (sparse_runs_mma(q, k, v, call.grid.block, call.kernels)) {
    return run_by_kernels(q, k, v, call, kBestMmaVariant);
  }
#endif
  SparseResult result = q.is_cpu() ? run_on_cpu(q, k, v, call) : run_by_torch(q, k, v, call);
  if (call.out.defined()) result.out = call.out.copy_(result.out);
  return result;
}

}  // namespace reel::attention
