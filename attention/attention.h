// The one entry to joint attention for the DiT.
// Shape letters (docs/SHAPES.md): B batch, S = N + L joint tokens, A heads, D head dim, n blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <utility>
#include <vector>

#include "attention/curve_probe.h"
#include "attention/gpu_kernels.h"
#include "attention/mask_probe.h"
#include "attention/recall_probe.h"
#include "attention/schedule.h"
#include "attention/statistics.h"

namespace reel::attention {

class StepAttention;
struct HeadGroup;

/// Everything that attention needs for a whole run: which calls are sparse, and what it measured.
/// Outlives the StepAttention values it hands out. One run at a time: not thread-safe.
class Attention {
 public:
  /// Every call is dense, for any number of steps, layers and heads.
  Attention() = default;

  explicit Attention(AttentionSchedule schedule) : schedule_(std::move(schedule)) {}

  /// What one denoising step calls; `step` counts from 0.
  StepAttention at_step(int64_t step);

  const AttentionSchedule& schedule() const { return schedule_; }

  /// What was measured so far; on a GPU this waits for the calls that were timed.
  const Statistics& statistics();

  /// From now on measures in every call, on `num_samples` query blocks of each head, how much of
  /// the true attention the selected blocks hold; in dense calls those that the mode, tau, stride
  /// and block of the flags would select, and nothing if the mode is dense. Results do not change.
  /// Waits for a GPU before and after.
  void probe_recall(int64_t num_samples) { recall_.emplace(num_samples); }

  /// From now on measures in every call what thresholds would do. Results do not change.
  void probe_curves(CurveProbe probe) { curves_.emplace(std::move(probe)); }

  /// From now on records the blocks of chosen calls. Results do not change.
  void probe_masks(MaskProbe probe) { masks_.emplace(std::move(probe)); }

  /// Time spent on probes so far; it is no part of what attention costs.
  double probe_ms() const { return probe_ms_; }

  /// What was measured; none unless asked for.
  const std::optional<RecallProbe>& recall() const { return recall_; }
  const std::optional<CurveProbe>& curves() const { return curves_; }
  const std::optional<MaskProbe>& masks() const { return masks_; }

  /// Adds what an earlier process measured in `num_calls` calls of one step and layer: the mean
  /// density of each head.
  void add_earlier(int64_t step, int64_t layer, const std::vector<double>& density,
                   int64_t num_calls);

  /// From now on attends with these on a GPU; kAuto unless told otherwise.
  void use_kernels(GpuKernels kernels) { kernels_ = kernels; }

  /// Makes every sparse call attend to `mask` [A, n, n] (bool or uint8, any device) instead of the
  /// blocks that it selected; scoring and selection still run and are timed. For benchmarks.
  /// Throws ShapeError at the first call that the mask does not fit.
  void give_plan(const at::Tensor& mask) { given_mask_ = mask; }

 private:
  friend class StepAttention;

  at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    int64_t text_length, int64_t step, int64_t layer, const at::Tensor& out);
  at::Tensor attend_dense(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          int64_t step, int64_t layer, const at::Tensor& out);
  void measure_recall(const at::Tensor& q, const at::Tensor& k, int64_t text_length, int64_t step,
                      int64_t layer);
  void probe(const at::Tensor& q, const at::Tensor& k, int64_t text_length, int64_t step,
             int64_t layer);
  at::Tensor attend_group(const HeadGroup& group, const at::Tensor& q, const at::Tensor& k,
                          const at::Tensor& v, int64_t text_length, int64_t step,
                          const at::Tensor& out, std::vector<HeadGroupDensity>& densities);

  AttentionSchedule schedule_;
  Statistics statistics_;
  std::optional<RecallProbe> recall_;
  std::optional<CurveProbe> curves_;
  std::optional<MaskProbe> masks_;
  double probe_ms_ = 0;
  at::Tensor given_mask_;  // undefined: none
  GpuKernels kernels_ = GpuKernels::kAuto;
};

/// Attention bound to one denoising step; cheap to copy.
class StepAttention {
 public:
  /// Non-causal joint attention of one block. q, k, v [B, S, A, D] of one dtype and device, last
  /// dimension contiguous, other strides any; the last `text_length` of the S tokens are text, the
  /// same in every batch item. `layer` counts double blocks, then single blocks, from 0.
  /// Returns [B, S, A, D], contiguous, or writes it to `out`, D contiguous and other strides any,
  /// and returns that. Does not wait for a GPU where our kernels run, nor in dense calls.
  at::Tensor operator()(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                        int64_t text_length, int64_t layer, const at::Tensor& out = {}) const {
    return owner_->attend(q, k, v, text_length, step_, layer, out);
  }

 private:
  friend class Attention;
  StepAttention(Attention* owner, int64_t step) : owner_(owner), step_(step) {}

  Attention* owner_;
  int64_t step_;
};

}  // namespace reel::attention
