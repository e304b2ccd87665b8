#include "attention/attention.h"

#include <ATen/ATen.h>

#include "attention/dense.h"
#include "attention/head_groups.h"
#include "attention/true_recall.h"
#include "attention/xattention.h"
#include "core/stopwatch.h"
#include "core/tensor_check.h"

namespace reel::attention {

StepAttention Attention::at_step(int64_t step) {
  return {this, step};
}

const Statistics& Attention::statistics() {
  statistics_.settle();
  return statistics_;
}

at::Tensor Attention::attend_dense(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                   int64_t step, int64_t layer, const at::Tensor& out) {
  const auto start = TimePoint::now(q.device());
  at::Tensor attended = dense_attention(q, k, v, /*causal=*/false, kernels_, out);
  const auto end = TimePoint::now(q.device());
  statistics_.add_call(step, layer, std::vector<double>(static_cast<size_t>(q.size(2)), 1.0),
                       /*sparse=*/false);
  statistics_.add_kernel(/*sparse=*/false, dense_kernel_name(q, k, v, kernels_));
  statistics_.add_times(step, {start, start, start, end});
  return attended;
}

void Attention::probe(const at::Tensor& q, const at::Tensor& k, int64_t text_length, int64_t step,
                      int64_t layer) {
  const bool measures_recall = recall_ && (!schedule_.is_dense(step, layer) || schedule_.usual());
  const bool records_masks = masks_ && masks_->wants(step, layer);
  if (!measures_recall && !curves_ && !records_masks) return;
  q.select(0, 0).select(0, 0).select(0, 0).select(0, 0).item();  // waits for what came before
  const Stopwatch watch;
  if (measures_recall) measure_recall(q, k, text_length, step, layer);
  if (curves_) curves_->measure(q, k, text_length, step, layer);
  if (records_masks) masks_->measure(schedule_, q, k, text_length, step, layer);
  probe_ms_ += watch.elapsed_ms();
}

void Attention::measure_recall(const at::Tensor& q, const at::Tensor& k, int64_t text_length,
                               int64_t step, int64_t layer) {
  const auto usual = schedule_.usual();
  auto groups = head_groups(schedule_, step, layer);
  for (int64_t item = 0; item < q.size(0); ++item) {
    std::vector<double> recall(static_cast<size_t>(schedule_.num_heads()), 1.0);
    std::vector<double> density = recall;
    for (auto& group : groups) {
      if (group.dense()) {
        if (!usual) continue;
        group.taus.assign(group.heads.size(), usual->tau);
        group.stride = usual->stride;
        group.block = usual->block;
      }
      const at::Tensor queries = group.of(q[item]);
      const at::Tensor keys = group.of(k[item]);
      SparseCall call = group.call(schedule_, q.size(1), text_length);
      call.kernels = kernels_;
      const at::Tensor mask = select_mask(queries, keys, call);
      const at::Tensor share =
          true_recall(queries, keys, mask, call.grid, recall_->num_samples()).to(at::kDouble);
      const at::Tensor selected = mask.to(at::kDouble).mean({1, 2}).cpu();
      for (size_t i = 0; i < group.heads.size(); ++i) {
        const auto head = static_cast<size_t>(group.heads[i]);
        recall[head] = share[static_cast<int64_t>(i)].item<double>();
        density[head] = selected[static_cast<int64_t>(i)].item<double>();
      }
    }
    recall_->add_call(step, layer, schedule_.is_dense(step, layer), recall, density);
  }
}

// One batch item; q, k, v [S, A, D].
at::Tensor Attention::attend_group(const HeadGroup& group, const at::Tensor& q, const at::Tensor& k,
                                   const at::Tensor& v, int64_t text_length, int64_t step,
                                   const at::Tensor& out,
                                   std::vector<HeadGroupDensity>& densities) {
  if (group.dense()) {
    const at::Tensor queries = q.unsqueeze(0), keys = k.unsqueeze(0), values = v.unsqueeze(0);
    const auto start = TimePoint::now(q.device());
    at::Tensor attended = dense_attention(queries, keys, values, /*causal=*/false, kernels_,
                                          out.defined() ? out.unsqueeze(0) : at::Tensor())[0];
    statistics_.add_times(step, {start, start, start, TimePoint::now(q.device())});
    statistics_.add_kernel(/*sparse=*/false, dense_kernel_name(queries, keys, values, kernels_));
    densities.push_back({group.heads, HeadDensity(std::vector<double>(group.heads.size(), 1.0))});
    return attended;
  }
  SparseCall call = group.call(schedule_, q.size(0), text_length);
  call.kernels = kernels_;
  call.given_mask = given_mask_;
  call.out = out;
  if (given_mask_.defined() && std::ssize(group.heads) != schedule_.num_heads()) {
    call.given_mask = given_mask_.index_select(0, group.index(given_mask_.device()));
  }
  const SparseResult result = run_sparse_call(q, k, v, call);
  for (const auto& borders : result.borders) statistics_.add_times(step, borders);
  statistics_.add_kernel(/*sparse=*/true, sparse_kernel_name(q, k, v, call.grid.block, kernels_));
  densities.push_back({group.heads, result.density});
  return result.out;
}

void Attention::add_earlier(int64_t step, int64_t layer, const std::vector<double>& density,
                            int64_t num_calls) {
  const bool sparse = !schedule_.is_dense(step, layer);
  for (int64_t i = 0; i < num_calls; ++i) statistics_.add_call(step, layer, density, sparse);
}

at::Tensor Attention::attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             int64_t text_length, int64_t step, int64_t layer,
                             const at::Tensor& out) {
  probe(q, k, text_length, step, layer);
  if (schedule_.is_dense(step, layer)) return attend_dense(q, k, v, step, layer, out);
  const int64_t num_heads = schedule_.num_heads();
  check_tensor("attention", q, "q", {{'B', kAny}, {'S', kAny}, {'A', num_heads}, {'D', kAny}});
  // once: a plan stays where the first call wants it
  if (given_mask_.defined()) given_mask_ = given_mask_.to(q.device());
  const auto groups = head_groups(schedule_, step, layer);
  std::vector<at::Tensor> items;
  for (int64_t item = 0; item < q.size(0); ++item) {
    std::vector<HeadGroupDensity> densities;
    const at::Tensor item_out = out.defined() ? out[item] : at::Tensor();
    if (groups.size() == 1) {
      items.push_back(attend_group(groups[0], q[item], k[item], v[item], text_length, step,
                                   item_out, densities));
    } else {
      at::Tensor joint = item_out.defined() ? item_out : at::empty(q[item].sizes(), q.options());
      for (const auto& group : groups) {
        joint.index_copy_(
            1, group.index(q.device()),
            attend_group(group, group.of(q[item]), group.of(k[item]), group.of(v[item]),
                         text_length, step, /*out=*/{}, densities));
      }
      items.push_back(joint);
    }
    statistics_.add_pending_call(step, layer, std::move(densities));
  }
  if (out.defined()) return out;
  return items.size() == 1 ? items[0].unsqueeze(0) : at::stack(items);
}

}  // namespace reel::attention
