#include "attention/xattention.h"

#include <ATen/ATen.h>

#include "attention/attend_result.h"
#include "attention/reference.h"
#include "attention/xattention_cpu.h"
#include "attention/xattention_torch.h"
#include "core/error.h"
#include "core/tensor_check.h"

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
  const at::Tensor queries = reorder_phases(q, call.grid, call.selection);
  return q.is_cpu() ? score_blocks_cpu(queries, k, call.grid)
                    : score_blocks_torch(queries, k, call.grid);
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

}  // namespace

at::Tensor select_mask(const at::Tensor& q, const at::Tensor& k, const SparseCall& call) {
  check_call(q, k, k, call);
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
  return q.is_cpu() ? run_on_cpu(q, k, v, call) : run_by_torch(q, k, v, call);
}

}  // namespace reel::attention
