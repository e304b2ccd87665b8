#include "attention/reference.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::attention {
namespace {

// One chunk's logits and their softmax stay below this.
constexpr int64_t kMaxLogitBytes = int64_t{1} << 30;

int64_t padded_length(int64_t num_tokens) {
  const int64_t chunk = reference_chunk_size(num_tokens);
  return (num_tokens + chunk - 1) / chunk * chunk;
}

// One head's tokens, padded by zeros, as strided rows [rows, stride * D] fp32.
at::Tensor padded_rows(const at::Tensor& head, int64_t stride, int64_t padded, bool reverse) {
  const at::Tensor tokens =
      at::constant_pad_nd(head.to(at::kFloat), {0, 0, 0, padded - head.size(0)});
  const at::Tensor rows = tokens.view({-1, stride, head.size(1)});
  return (reverse ? rows.flip(1) : rows).reshape({rows.size(0), -1});
}

}  // namespace

int64_t reference_chunk_size(int64_t num_tokens) {
  constexpr int64_t kSmallest = 2048;
  constexpr int64_t kLargestProduct = int64_t{1} << 28;  // of the chunk and the padded length
  const auto power = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(num_tokens)));
  return std::max(std::min(std::max(kSmallest, power), kLargestProduct / power), kSmallest);
}

at::Tensor score_blocks_reference(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid) {
  check_grid(grid);
  if (grid.causal) fail<ShapeError>("score_blocks_reference: causal is not covered");
  check_tensor("score_blocks_reference", q, "q",
               {{'S', grid.num_tokens}, {'A', kAny}, {'D', kAny}});
  const int64_t padded = padded_length(grid.num_tokens);
  const int64_t per_block = grid.strided_per_block();
  const int64_t num_blocks = padded / grid.block;
  // a strided row counts if it holds at least one token
  const int64_t true_rows = padded / grid.stride - (padded - grid.num_tokens) / grid.stride;
  const double scale =
      1.0 / (std::sqrt(static_cast<double>(q.size(2))) * static_cast<double>(grid.stride));
  const int64_t chunk =
      std::max<int64_t>(kMaxLogitBytes / (per_block * (padded / grid.stride) * 8), 1);
  at::Tensor sums = at::empty({q.size(1), num_blocks, num_blocks}, q.options().dtype(at::kFloat));
  for (int64_t head = 0; head < q.size(1); ++head) {
    const at::Tensor rows = padded_rows(q.select(1, head), grid.stride, padded, true);
    const at::Tensor columns = padded_rows(k.select(1, head), grid.stride, padded, false).t();
    for (int64_t first = 0; first < num_blocks; first += chunk) {
      const int64_t last = std::min(first + chunk, num_blocks);
      at::Tensor shares = at::softmax(
          at::matmul(rows.slice(0, first * per_block, last * per_block), columns) * scale, 1);
      shares.slice(0, std::max<int64_t>(true_rows - first * per_block, 0)).zero_();
      sums[head]
          .slice(0, first, last)
          .copy_(shares.view({last - first, per_block, num_blocks, per_block}).sum({1, 3}));
    }
  }
  return sums;
}

at::Tensor select_blocks_reference(const at::Tensor& block_sums, std::span<const double> taus,
                                   const BlockGrid& grid) {
  const int64_t num_padded = padded_length(grid.num_tokens) / grid.block;
  check_tensor("select_blocks_reference", block_sums, "block_sums",
               {{'A', std::ssize(taus)}, {'n', num_padded}, {'n', num_padded}}, at::kFloat);
  at::Tensor mask = at::zeros(block_sums.sizes(), block_sums.options().dtype(at::kBool));
  for (int64_t head = 0; head < std::ssize(taus); ++head) {
    const auto [values, order] = at::sort(block_sums[head], /*stable=*/true, 1, true);
    const at::Tensor sums = values.to(at::kDouble).cumsum(1);
    const at::Tensor taken =
        (sums - values).lt(sums.slice(1, -1) * taus[static_cast<size_t>(head)]);
    mask[head].scatter_(1, order, taken);
  }
  mask.select(2, 0).fill_(true);
  return mask.slice(1, 0, grid.num_blocks()).slice(2, 0, grid.num_blocks()).contiguous();
}

}  // namespace reel::attention
