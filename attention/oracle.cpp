#include "attention/oracle.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/tensor_check.h"

namespace reel::attention {
namespace {

constexpr double kNegativeInfinity = -std::numeric_limits<double>::infinity();

// Mean logit of the antidiagonal of every stride x stride square: [strided rows, strided columns].
at::Tensor strided_logits(const at::Tensor& q, const at::Tensor& k, int64_t stride, int64_t count) {
  const auto head_dim = static_cast<double>(q.size(1));
  at::Tensor sum = at::zeros({count, count}, at::kDouble);
  for (int64_t phase = 0; phase < stride; ++phase) {
    const at::Tensor rows = q.slice(0, stride - 1 - phase, count * stride, stride);
    const at::Tensor columns = k.slice(0, phase, count * stride, stride);
    sum += at::matmul(rows, columns.t());
  }
  return sum / (std::sqrt(head_dim) * static_cast<double>(stride));
}

// The candidate of largest mass that is not taken yet; equal ones by distance, then by index.
int64_t best_candidate(const double* mass, int64_t count, int64_t query,
                       const std::vector<bool>& taken) {
  int64_t best = -1;
  for (int64_t key = 0; key < count; ++key) {
    if (taken[static_cast<size_t>(key)]) continue;
    const bool better = best < 0 || mass[key] > mass[best] ||
                        (mass[key] == mass[best] && std::abs(key - query) < std::abs(best - query));
    if (better) best = key;
  }
  return best;
}

std::vector<bool> select_row(const double* mass, int64_t count, double tau, int64_t query) {
  std::vector<bool> taken(static_cast<size_t>(count), tau == 1.0);
  if (tau == 1.0) return taken;
  double total = 0;
  for (int64_t key = 0; key < count; ++key) total += mass[key];
  if (!std::isfinite(total)) return std::vector<bool>(taken.size(), true);
  double sum = 0;
  while (sum < tau * total) {
    const int64_t key = best_candidate(mass, count, query, taken);
    if (key < 0) break;
    sum += mass[key];
    taken[static_cast<size_t>(key)] = true;
  }
  return taken;
}

}  // namespace

at::Tensor oracle_block_mass(const at::Tensor& q, const at::Tensor& k, const BlockGrid& grid) {
  check_grid(grid);
  const int64_t num_heads = q.size(1);
  const int64_t per_block = grid.strided_per_block();
  const int64_t num_scored = grid.num_scored();
  const int64_t count = num_scored * per_block;
  at::Tensor mass = at::zeros({num_heads, grid.num_blocks(), grid.num_blocks()}, at::kDouble);
  if (num_scored == 0) return mass;
  const at::Tensor future = at::ones({count, count}, at::kBool).triu(1);
  for (int64_t head = 0; head < num_heads; ++head) {
    at::Tensor logits = strided_logits(q.select(1, head).to(at::kDouble),
                                       k.select(1, head).to(at::kDouble), grid.stride, count);
    if (grid.causal) logits = logits.masked_fill(future, kNegativeInfinity);
    const at::Tensor sums =
        at::softmax(logits, 1).view({num_scored, per_block, num_scored, per_block}).sum({1, 3});
    mass[head].slice(0, 0, num_scored).slice(1, 0, num_scored) =
        sums / static_cast<double>(per_block);
  }
  return mass;
}

at::Tensor oracle_select(const at::Tensor& block_mass, std::span<const double> taus,
                         const BlockGrid& grid, const Protection& protection) {
  const at::Tensor mass = block_mass.to(at::kDouble).contiguous();
  const int64_t num_blocks = grid.num_blocks();
  check_tensor("oracle_select", mass, "block_mass",
               {{'A', std::ssize(taus)}, {'n', num_blocks}, {'n', num_blocks}});
  at::Tensor mask = at::zeros(mass.sizes(), at::kByte);
  auto selected = mask.accessor<uint8_t, 3>();
  for (int64_t head = 0; head < std::ssize(taus); ++head) {
    for (int64_t query = 0; query < num_blocks; ++query) {
      const double* row = mass.const_data_ptr<double>() + (head * num_blocks + query) * num_blocks;
      const bool scored = query < grid.num_scored();
      const auto taken = select_row(row, scored ? grid.num_candidates(query) : 0,
                                    taus[static_cast<size_t>(head)], query);
      for (int64_t key = 0; key < grid.num_visible(query); ++key) {
        const bool by_mass = key < std::ssize(taken) && taken[static_cast<size_t>(key)];
        const bool forced = key >= grid.num_scored() || key < protection.sink ||
                            (key == query && (protection.self || grid.causal));
        selected[head][query][key] = !scored || by_mass || forced;
      }
    }
  }
  return mask;
}

OracleAttention oracle_attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                              const at::Tensor& mask, const BlockGrid& grid) {
  const at::Tensor token_block = at::floor_divide(at::arange(grid.num_tokens), grid.block);
  std::vector<at::Tensor> outs;
  std::vector<at::Tensor> lses;
  for (int64_t head = 0; head < q.size(1); ++head) {
    const auto rows = [&](const at::Tensor& x) { return x.select(1, head).to(at::kDouble); };
    at::Tensor seen = mask[head].ne(0).index_select(0, token_block).index_select(1, token_block);
    if (grid.causal) seen = seen.tril();
    const at::Tensor logits =
        (at::matmul(rows(q), rows(k).t()) / std::sqrt(static_cast<double>(q.size(2))))
            .masked_fill(seen.logical_not(), kNegativeInfinity);
    const at::Tensor lse = at::logsumexp(logits, 1);
    const at::Tensor weights =
        at::exp(logits - lse.unsqueeze(1)).masked_fill(lse.isneginf().unsqueeze(1), 0.0);
    outs.push_back(at::matmul(weights, rows(v)));
    lses.push_back(lse);
  }
  return {at::stack(outs, 1), at::stack(lses)};
}

}  // namespace reel::attention
