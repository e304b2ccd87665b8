#include "attention/curve_probe.h"

#include <ATen/ATen.h>

#include <utility>

#include "attention/head_groups.h"
#include "attention/true_recall.h"

namespace reel::attention {

CurveProbe::CurveProbe(AttentionSchedule would_be, std::vector<double> taus, int64_t num_samples)
    : would_be_(std::move(would_be)),
      num_samples_(num_samples),
      curves_(std::move(taus), would_be_.num_layers(), would_be_.num_heads()) {}

void CurveProbe::measure(const at::Tensor& q, const at::Tensor& k, int64_t text_length,
                         int64_t step, int64_t layer) {
  const auto groups = head_groups(would_be_, step, layer);
  for (int64_t item = 0; item < q.size(0); ++item) {
    for (const auto& group : groups) {
      if (group.dense()) continue;
      const at::Tensor queries = group.of(q[item]);
      const at::Tensor keys = group.of(k[item]);
      const SparseCall call = group.call(would_be_, q.size(1), text_length);
      const TrueMass mass = sample_true_mass(queries, keys, call.grid, num_samples_);
      std::vector<at::Tensor> recalls, densities;  // [taus] of [A]
      for (const auto& mask : select_masks(queries, keys, call, curves_.taus())) {
        recalls.push_back(mass.recall(mask));
        densities.push_back(mask.to(at::kDouble).mean({1, 2}).cpu());
      }
      // [A, taus]
      const at::Tensor recall = at::stack(recalls, 1).to(at::kDouble).contiguous();
      const at::Tensor density = at::stack(densities, 1).contiguous();
      const size_t num_taus = curves_.taus().size();
      for (size_t i = 0; i < group.heads.size(); ++i) {
        const auto row = [&](const at::Tensor& values) {
          return std::span(values.const_data_ptr<double>() + i * num_taus, num_taus);
        };
        curves_.add(layer, group.heads[i], row(density), row(recall));
      }
    }
  }
}

}  // namespace reel::attention
