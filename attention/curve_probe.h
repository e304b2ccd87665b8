// What a list of thresholds would do to every head of a run that is dense meanwhile: the input of
// calibration (docs/CALIBRATION.md).
// Shape letters (docs/SHAPES.md): B batch, S joint tokens, A heads, D head dim.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "attention/schedule.h"
#include "attention/threshold_table.h"

namespace reel::attention {

/// Measures the calls that `would_be` makes sparse.
class CurveProbe {
 public:
  /// `would_be` must select by tau. True recall is exact on `num_samples` query blocks of every
  /// head and call. Throws ShapeError unless `taus` ascend.
  CurveProbe(AttentionSchedule would_be, std::vector<double> taus, int64_t num_samples);

  /// One call: q, k [B, S, A, D] as attention gets them, the last `text_length` tokens are text.
  /// Scores each head once and selects with every threshold. Waits for a GPU.
  void measure(const at::Tensor& q, const at::Tensor& k, int64_t text_length, int64_t step,
               int64_t layer);

  const HeadCurves& curves() const { return curves_; }

 private:
  AttentionSchedule would_be_;
  int64_t num_samples_;
  HeadCurves curves_;
};

}  // namespace reel::attention
