#include "tests/support/given_plan.h"

#include <ATen/ATen.h>

#include <cmath>

namespace reel::testing {

at::Tensor plan_of_density(const at::Tensor& block_mass, const attention::BlockGrid& grid,
                           const attention::Protection& protection, double density) {
  const int64_t num_blocks = grid.num_blocks();
  const int64_t num_scored = grid.num_scored();
  at::Tensor rank = at::full({block_mass.size(0), num_blocks, num_blocks}, 2.0, at::kDouble);
  rank.slice(1, 0, num_scored).slice(2, 0, num_scored).copy_(block_mass.to(at::kCPU, at::kDouble));
  for (int64_t query = 0; query < num_scored; ++query) {
    for (int64_t key = 0; key < num_scored; ++key) {
      if (is_forced(grid, protection, query, key)) rank.select(1, query).select(1, key).fill_(2.0);
    }
  }
  at::Tensor mask = at::ones(rank.sizes(), at::kByte);
  if (num_scored == 0) return mask;
  const auto blocks = static_cast<double>(num_blocks);
  const double for_scored_rows =
      density * blocks * blocks - static_cast<double>(num_blocks - num_scored) * blocks;
  const int64_t wanted = std::lround(for_scored_rows / static_cast<double>(num_scored));
  const int64_t forced = (rank == 2.0).sum(2).slice(1, 0, num_scored).max().item<int64_t>();
  const int64_t count = std::clamp(wanted, forced, num_blocks);
  const at::Tensor best = std::get<1>(rank.slice(1, 0, num_scored).topk(count, 2));
  at::Tensor rows = mask.slice(1, 0, num_scored);
  rows.zero_().scatter_(2, best, 1);
  return mask;
}

}  // namespace reel::testing
