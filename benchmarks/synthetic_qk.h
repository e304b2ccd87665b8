// Queries and keys that behave like those of a video transformer: six kinds of heads on a grid of
// latent tokens, mixed so that XAttention keeps about as many blocks as on HunyuanVideo
// (docs/kernels/score.md). Random normal queries and keys have no sparsity to find.
// Letters (docs/SHAPES.md): N image tokens, A heads, D head dim.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace reel::benchmarks {

/// What a head looks at.
enum class HeadKind {
  kLocal,     ///< near tokens in space and time
  kTemporal,  ///< the same place at all times
  kFrame,     ///< the whole own frame
  kSemantic,  ///< tokens of like content, wherever they are
  kSink,      ///< a few tokens that every query looks at
  kDiffuse,   ///< everything, almost evenly
};

std::string name_of(HeadKind kind);

/// Latent tokens, columns fastest.
struct TokenGrid {
  int64_t num_frames;
  int64_t num_rows;
  int64_t num_columns;

  int64_t num_tokens() const { return num_frames * num_rows * num_columns; }
};

/// HunyuanVideo's at 1280 x 720 x 129.
inline constexpr TokenGrid kFullGrid = {33, 45, 80};

/// `num_heads` kinds in the proportions 8 : 5 : 4 : 5 : 1 : 1 of the list above.
std::vector<HeadKind> mixture(int64_t num_heads);

struct QueriesAndKeys {
  at::Tensor q, k;  ///< [N, A, D]
};

/// Draws rotated, normalised queries and keys, one head for each of `kinds`, of the options' dtype
/// on their device (whose own random numbers it uses: another device, other numbers). D is a
/// multiple of 16. Laid out as [A, N, D] in memory, as the transformer gives them.
QueriesAndKeys draw_queries_and_keys(const TokenGrid& grid, const std::vector<HeadKind>& kinds,
                                     int64_t head_dim, uint64_t seed,
                                     const at::TensorOptions& options);

}  // namespace reel::benchmarks
