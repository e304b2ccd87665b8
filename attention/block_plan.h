// Which key blocks each query block of one attention call sees: plain data, no tensors of the
// model. Shape letters (docs/SHAPES.md): S joint tokens, L text tokens, A heads, n blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace reel::attention {

/// Key blocks that a scored query block always sees, whatever the scores say. Unscored key blocks
/// (text, ragged) are in every list without being named here.
struct Protection {
  bool text = true;  ///< must stay on wherever there is text: see AttentionSchedule
  bool self = true;  ///< the query block's own block
  int64_t sink = 0;  ///< the first `sink` blocks

  bool operator==(const Protection&) const = default;
};

/// Writes "text,self,sink=1"; "none" if nothing is protected.
std::string protection_text(const Protection& protection);

/// How one call's tokens are cut. A block is scored when it is full and holds no text token, which
/// makes the scored blocks the first ones; the others are always attended, and dense as queries.
struct BlockGrid {
  int64_t num_tokens;   ///< S
  int64_t text_length;  ///< L, the last tokens of S
  int64_t block;        ///< tokens a block
  int64_t stride;       ///< tokens a strided row; divides block
  bool causal = false;  ///< a query sees itself and earlier tokens only

  int64_t num_blocks() const { return (num_tokens + block - 1) / block; }
  int64_t num_scored() const { return (num_tokens - text_length) / block; }
  int64_t strided_per_block() const { return block / stride; }
  /// Number of key blocks that query block `query` may see at all.
  int64_t num_visible(int64_t query) const { return causal ? query + 1 : num_blocks(); }
  /// Number of scored key blocks that compete for query block `query`.
  int64_t num_candidates(int64_t query) const {
    return causal ? std::min(query + 1, num_scored()) : num_scored();
  }
};

/// Throws ShapeError unless sizes are possible: S >= 1, 0 <= L <= S, stride divides block.
void check_grid(const BlockGrid& grid);

/// True if scored query block `query` sees `key` whatever the scores say.
bool is_forced(const BlockGrid& grid, const Protection& protection, int64_t query, int64_t key);

/// Ascending lists of key blocks, one for every (head, query block).
class BlockLists {
 public:
  BlockLists(int64_t num_heads, int64_t num_blocks);

  /// Reads a mask [A, n, n] (row = query block), bool or uint8, any device (a GPU's is copied,
  /// which synchronises).
  static BlockLists from_mask(const at::Tensor& mask);

  /// Every visible block, for all heads.
  static BlockLists dense(const BlockGrid& grid, int64_t num_heads);

  /// Sets one list; `keys` ascends.
  void set(int64_t head, int64_t query, std::span<const int32_t> keys);

  std::span<const int32_t> keys(int64_t head, int64_t query) const;

  /// The mask [A, n, n], uint8 on the CPU: row = query block, column = key block.
  at::Tensor mask() const;

  /// Selected blocks / all blocks of each head.
  std::vector<double> density() const;

  int64_t num_heads() const { return num_heads_; }
  int64_t num_blocks() const { return num_blocks_; }

 private:
  int64_t num_heads_;
  int64_t num_blocks_;
  std::vector<int32_t> counts_;  // [A, n]
  std::vector<int32_t> keys_;    // [A, n, n], the first counts_ of each row are valid
};

/// Selects by sorting: the smallest set of candidates whose mass reaches tau of the row's mass,
/// ties by distance to the query block, then by index; after that the forced blocks. tau = 1 takes
/// every candidate without comparing sums. A row whose mass is not finite takes every visible
/// block, so that NaN shows in the output as it would with dense attention. block_mass [A, n, n]
/// fp32 contiguous on the CPU, n = grid.num_scored() here; taus: one a head.
BlockLists select_blocks(const at::Tensor& block_mass, std::span<const double> taus,
                         const BlockGrid& grid, const Protection& protection);

}  // namespace reel::attention
