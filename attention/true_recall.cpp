#include "attention/true_recall.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace reel::attention {
namespace {

// Share of each key block in the attention of one query block of one head: [n].
at::Tensor true_mass(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid,
                     int64_t query) {
  const int64_t first = query * grid.block;
  const int64_t last = std::min(first + grid.block, grid.num_tokens);
  at::Tensor logits = at::matmul(q.slice(0, first, last).to(at::kFloat), k.to(at::kFloat).t()) /
                      std::sqrt(static_cast<double>(q.size(1)));
  if (grid.causal) {
    const auto options = q.options().dtype(at::kLong);
    logits.masked_fill_(
        at::arange(grid.num_tokens, options).gt(at::arange(first, last, options).unsqueeze(1)),
        -std::numeric_limits<double>::infinity());
  }
  const int64_t missing = grid.num_blocks() * grid.block - grid.num_tokens;
  return at::constant_pad_nd(at::softmax(logits, 1).mean(0), {0, missing})
      .view({grid.num_blocks(), grid.block})
      .sum(1);
}

}  // namespace

at::Tensor TrueMass::recall(const at::Tensor& mask) const {
  const at::Tensor rows = at::tensor(queries, at::kLong).to(mask.device());
  return (share * mask.index_select(1, rows)).sum(2).mean(1).cpu();
}

TrueMass sample_true_mass(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid,
                          int64_t num_samples) {
  TrueMass result;
  const int64_t num_queries = std::max<int64_t>(grid.num_scored(), 1);
  num_samples = std::min(num_samples, num_queries);
  for (int64_t sample = 0; sample < num_samples; ++sample) {
    result.queries.push_back((2 * sample + 1) * num_queries / (2 * num_samples));
  }
  std::vector<at::Tensor> heads;
  for (int64_t head = 0; head < q.size(1); ++head) {
    std::vector<at::Tensor> rows;
    for (const int64_t query : result.queries) {
      rows.push_back(true_mass(q.select(1, head), k.select(1, head), grid, query));
    }
    heads.push_back(at::stack(rows));
  }
  result.share = at::stack(heads);
  return result;
}

at::Tensor true_recall(const at::Tensor& q, const at::Tensor& k, const at::Tensor& mask,
                       const BlockGrid& grid, int64_t num_samples) {
  return sample_true_mass(q, k, grid, num_samples).recall(mask);
}

}  // namespace reel::attention
