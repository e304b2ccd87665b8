// How a sparse call scores its blocks and how many of them it takes: the paper's way, and the ways
// that its ablations compare it with (docs/ABLATIONS.md).
// Letters (docs/SHAPES.md): S joint tokens, A heads, D head dim, n blocks; m scored blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "attention/block_plan.h"
#include "core/problems.h"

namespace reel::attention {

/// Which pairs of tokens stand for a stride x stride square of the logits.
enum class ScorePattern {
  kAntidiagonal,  ///< query phase stride - 1 - s with key phase s: XAttention
  kDiagonal,      ///< query phase s with key phase s
  kRandom,        ///< query phase p(s) with key phase s, p a permutation drawn once from a seed
  kMeanPool,      ///< no strides: mean query of a block with mean key of a block
};

/// What queries and keys are rounded to before they are scored. Attention itself is not affected.
enum class ScorePrecision {
  kInput,  ///< nothing: their own dtype
  kE4m3,   ///< 8-bit floats: scoring twice as fast on compute capability 9.0 with D 128
};

/// How many blocks a row takes, the most massive first.
enum class CountRule {
  kTau,       ///< until their mass reaches tau of the row's: the number differs by row
  kTopK,      ///< a number that is the same for all rows
  kTopRatio,  ///< a share of the row's candidates, rounded up
};

/// Pattern and rule of all sparse calls of a run.
struct Selection {
  ScorePattern pattern = ScorePattern::kAntidiagonal;
  ScorePrecision precision = ScorePrecision::kInput;  ///< kInput with kMeanPool
  CountRule rule = CountRule::kTau;
  int64_t top_k = 0;     ///< of kTopK, at least 1
  double top_ratio = 0;  ///< of kTopRatio, above 0 and at most 1
  uint64_t seed = 0;     ///< of kRandom

  /// What --select and --rule take: "random=7", "antidiagonal:e4m3", "top-ratio=0.25".
  std::string pattern_text() const;
  std::string rule_text() const;

  bool operator==(const Selection&) const = default;
};

/// Reads antidiagonal, diagonal, random, random=SEED, each of them perhaps with ":e4m3", or
/// mean-pool, and tau, top-k=N or top-ratio=R. Adds a problem, named --select or --rule, for
/// anything else.
Selection parse_selection(const std::string& select, const std::string& rule, Problems& problems);

/// The query phase that meets key phase s, for every s below `stride`; not for kMeanPool.
std::vector<int64_t> query_phases(const Selection& selection, int64_t stride);

/// q [S, A, D] with the scored tokens of every strided row reordered: antidiagonal scoring of the
/// result is scoring of q by `selection`. Tokens that are not scored stay in their places.
at::Tensor reorder_phases(const at::Tensor& q, const BlockGrid& grid, const Selection& selection);

/// x [S, A, D] with the scored tokens of each head rounded to e4m3 after a scaling by 448 / their
/// largest magnitude that is taken back afterwards: fp32. A head with a value that is not finite
/// becomes NaN. The plain twin of kernels/quantise.h.
at::Tensor round_to_e4m3(const at::Tensor& x, const BlockGrid& grid);

/// Softmax over the scored key blocks of mean query times mean key / sqrt(D): q, k [S, A, D] ->
/// [A, m, m] fp32 on their device; each row sums to 1.
at::Tensor score_mean_blocks(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid);

/// Selects by kTopK or kTopRatio. Forced scored blocks come first and count, so that all rows with
/// as many candidates have the same number of scored blocks unless more are forced; ties by
/// distance to the query block, then by index. A row whose mass is not finite takes every visible
/// block. block_mass [A, m, m] fp32 on any device; returns [A, n, n] bool there.
at::Tensor select_top_blocks(const at::Tensor& block_mass, const Selection& selection,
                             const BlockGrid& grid, const Protection& protection);

}  // namespace reel::attention
