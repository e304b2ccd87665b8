#include "tests/kernels/score_reference.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

namespace reel::attention::testing {

at::Tensor reference_scores(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid,
                            int64_t first_query, int64_t num_queries) {
  const int64_t per_block = grid.strided_per_block();
  const int64_t num_columns = grid.num_scored() * per_block;
  const int64_t first_row = first_query * per_block;
  const int64_t num_rows = num_queries * per_block;
  const double scale =
      1.0 / (std::sqrt(static_cast<double>(q.size(2))) * static_cast<double>(grid.stride));
  std::vector<at::Tensor> heads;
  for (int64_t head = 0; head < q.size(1); ++head) {
    at::Tensor logits = at::zeros({num_rows, num_columns}, q.options().dtype(at::kDouble));
    for (int64_t phase = 0; phase < grid.stride; ++phase) {
      const at::Tensor rows =
          q.select(1, head).slice(0, first_row * grid.stride + grid.stride - 1 - phase,
                                  (first_row + num_rows) * grid.stride, grid.stride);
      const at::Tensor columns =
          k.select(1, head).slice(0, phase, num_columns * grid.stride, grid.stride);
      logits += at::matmul(rows.to(at::kDouble), columns.to(at::kDouble).t());
    }
    logits *= scale;
    if (grid.causal) {
      const auto options = q.options().dtype(at::kLong);
      const at::Tensor future =
          at::arange(num_columns, options)
              .gt(at::arange(first_row, first_row + num_rows, options).unsqueeze(1));
      logits.masked_fill_(future, -std::numeric_limits<double>::infinity());
    }
    heads.push_back(at::logsumexp(logits.view({num_rows, grid.num_scored(), per_block}), 2) *
                    std::numbers::log2e);
  }
  return at::stack(heads);
}

at::Tensor reference_mass(const at::Tensor& scores, const BlockGrid& grid) {
  return at::softmax(scores.to(at::kDouble) * std::numbers::ln2, 2)
      .view({scores.size(0), -1, grid.strided_per_block(), scores.size(2)})
      .mean(2);
}

}  // namespace reel::attention::testing
