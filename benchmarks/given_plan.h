// A plan of a wanted density, to measure speed where selection would not give that density.
// Letters (docs/SHAPES.md): A heads, n blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include "attention/block_plan.h"

namespace reel::benchmarks {

/// The blocks of largest mass, with the forced blocks and the dense rows of unscored queries
/// counted in, so that `density` of all blocks are selected, to within one block a row. Not causal.
/// `block_mass` [A, m, m] over scored blocks. Returns [A, n, n] uint8 on its device.
at::Tensor plan_of_density(const at::Tensor& block_mass, const attention::BlockGrid& grid,
                           const attention::Protection& protection, double density);

}  // namespace reel::benchmarks
