// Score and select on a GPU by our own kernels. Nothing here waits for the device.
// Letters (docs/SHAPES.md): S joint tokens, A heads, D head dim, n blocks; m scored blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "attention/block_plan.h"
#include "attention/kernels/score.h"
#include "attention/time_point.h"

namespace reel::attention {

/// Which kernel scores.
enum class ScoreKernel {
  kNone,      ///< none of ours fits: LibTorch's operators
  kSimple,    ///< plain arithmetic, any GPU of compute capability 8.0 or later: to compare with
  kMma,       ///< mma.sync and cp.async, compute capability 8.0 or later
  kSm90,      ///< wgmma and TMA, compute capability 9.0
  kSm90E4m3,  ///< the same on q and k rounded to e4m3: twice as fast; D 128
};

/// The fastest kernel that runs for q, k [S, A, D] where they are: bf16 on a GPU, blocks of 128,
/// stride 4, 8 or 16, D 64 or 128, rows aligned to 16 bytes (kSimple: any D and rows).
ScoreKernel best_score_kernel(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid);

/// Queries or keys as a score kernel reads them.
struct ScoredOperand {
  at::Tensor tokens;     ///< [S, A, D] bf16 as given, or [A, m * block, D] e4m3 in uint8
  at::Tensor magnitude;  ///< [A] fp32, the largest of each head; undefined for bf16
};

/// Rounds x [S, A, D] bf16 to e4m3 if `kernel` wants that; else only names it.
ScoredOperand scored_operand(const at::Tensor& x, const BlockGrid& grid, ScoreKernel kernel);

/// Some query blocks of some heads.
struct ScorePart {
  int64_t first_head, num_heads;
  int64_t first_query, num_queries;
};

/// Log2-sum-exp of the strided logits of each strided row and scored key block, as
/// attention/kernels/score.h says: [heads, queries * block / stride, m rounded up to 8] fp32.
at::Tensor score_part(const ScoredOperand& q, const ScoredOperand& k, const BlockGrid& grid,
                      const ScorePart& part, ScoreKernel kernel,
                      const kernels::ScoreTuning& tuning);

/// Cuts m query blocks of A heads into parts whose scores take at most `cap_bytes`, or one query
/// block of one head if that takes more; whole heads if they fit.
std::vector<ScorePart> score_parts(const BlockGrid& grid, int64_t num_heads, int64_t cap_bytes);

/// The blocks of every head and query block, on a GPU.
struct DevicePlan {
  at::Tensor keys;        ///< [A, n, n] uint16, ascending; the first `counts` of a row are valid
  at::Tensor counts;      ///< [A, n] int32
  at::Tensor mask_words;  ///< [A, n, ceil(n / 32)] int32, bit k % 32 of word k / 32 is key block k
  at::Tensor selected;    ///< [A] int64, the sum of counts
  at::Tensor block_mass;  ///< [A, m, m] fp32; undefined if not kept

  /// [A, n, n] bool on the device.
  at::Tensor mask() const;

  /// The plan of a mask [A, n, n] uint8 or bool on a GPU.
  static DevicePlan of_mask(const at::Tensor& mask);
};

struct PlanOptions {
  ScoreKernel kernel = ScoreKernel::kSm90;
  kernels::ScoreTuning tuning;
  bool keep_mass = false;
  int64_t workspace_bytes = int64_t{1} << 30;
  bool select_by_block = false;  ///< the kernel of long sequences also where a warp holds a row
};

/// Scores and selects as select_blocks does; q, k [S, A, D]. Appends the moments at which each
/// part's score started, its selection started, and it ended to `moments`, three a part.
DevicePlan plan_on_device(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid,
                          std::span<const double> taus, const Protection& protection,
                          const PlanOptions& options, std::vector<TimePoint>& moments);

}  // namespace reel::attention
