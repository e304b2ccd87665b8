// The blocks that chosen heads attend to in a few sparse calls of a run, small enough to look at.
// Letters (docs/SHAPES.md): B batch, S joint tokens, A heads, D head dim, n blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "attention/schedule.h"

namespace reel::attention {

struct LayerHead {
  int64_t layer, head;
  bool operator==(const LayerHead&) const = default;
};

/// One head of one call of attention.
struct HeadCall {
  int64_t step, layer, head;
  bool operator==(const HeadCall&) const = default;
};

/// Up to `count` heads of different layers, spread over the layers and heads that are ever sparse.
std::vector<LayerHead> spread_heads(const AttentionSchedule& schedule, int64_t count);

/// The first, the middle and the last step at which each of `heads` is sparse: three calls a head,
/// fewer if it has fewer.
std::vector<HeadCall> calls_to_show(const AttentionSchedule& schedule,
                                    const std::vector<LayerHead>& heads);

/// What one head of one call attended to.
struct HeadMask {
  HeadCall call;
  int64_t num_blocks;  ///< n
  double density;      ///< selected blocks / all blocks
  /// [m, m] uint8 on the CPU, m = min(n, kMostCells): 0 to 255 for the share of selected blocks
  /// among those that a cell touches; rows are queries.
  at::Tensor cells;
};

/// Records the blocks of chosen calls.
class MaskProbe {
 public:
  static constexpr int64_t kMostCells = 128;

  /// `calls` are sparse ones.
  explicit MaskProbe(std::vector<HeadCall> calls) : calls_(std::move(calls)) {}

  bool wants(int64_t step, int64_t layer) const;

  /// One call: q, k [B, S, A, D] as attention gets them, the last `text_length` tokens are text.
  /// Scores and selects once more, for the first item of the batch and the first call of a step and
  /// layer (that of the prompt, where a negative one follows). Waits for a GPU.
  void measure(const AttentionSchedule& schedule, const at::Tensor& q, const at::Tensor& k,
               int64_t text_length, int64_t step, int64_t layer);

  /// In the order in which they ran.
  const std::vector<HeadMask>& masks() const { return masks_; }

 private:
  std::vector<HeadCall> calls_;  // that were not recorded yet
  std::vector<HeadMask> masks_;
};

}  // namespace reel::attention
