#include "benchmarks/given_plan.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace reel::benchmarks {

at::Tensor plan_of_density(const at::Tensor& block_mass, const attention::BlockGrid& grid,
                           const attention::Protection& protection, double density) {
  constexpr double kForced = 2.0;  // above every share
  const int64_t num_blocks = grid.num_blocks();
  const int64_t num_scored = grid.num_scored();
  const at::Tensor mask =
      at::ones({block_mass.size(0), num_blocks, num_blocks}, block_mass.options().dtype(at::kByte));
  if (num_scored == 0) return mask;
  const at::Tensor rank =
      at::full({block_mass.size(0), num_scored, num_blocks}, kForced, block_mass.options());
  at::Tensor scored = rank.slice(2, 0, num_scored);
  scored.copy_(block_mass);
  if (protection.self) scored.diagonal(0, 1, 2).fill_(kForced);
  scored.slice(2, 0, std::min(protection.sink, num_scored)).fill_(kForced);
  const auto blocks = static_cast<double>(num_blocks);
  const double for_scored_rows =
      density * blocks * blocks - static_cast<double>(num_blocks - num_scored) * blocks;
  const int64_t wanted = std::lround(for_scored_rows / static_cast<double>(num_scored));
  const int64_t forced = rank.eq(kForced).sum(2).max().item<int64_t>();
  const at::Tensor best = std::get<1>(rank.topk(std::clamp(wanted, forced, num_blocks), /*dim=*/2));
  mask.slice(1, 0, num_scored).zero_().scatter_(2, best, 1);
  return mask;
}

}  // namespace reel::benchmarks
