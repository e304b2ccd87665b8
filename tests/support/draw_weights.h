// Weights of tiny models, drawn instead of stored: the same numbers as tools/goldens/common.py
// draws.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "weights/published_layout.h"
#include "weights/weight_store.h"

namespace reel::testing {

/// Draws fp32 CPU tensors for `specs` from one generator, in byte order of their names:
/// *.bias 0.1 * normal; other vectors (norm weights) 1 + 0.2 * normal; matrices and convolutions
/// normal / sqrt(elements of a row).
std::map<std::string, at::Tensor> draw(std::vector<weights::WeightSpec> specs, uint64_t seed);

/// The parts of all recipes: the tensors of the published file.
std::vector<weights::WeightSpec> published_specs(const std::vector<weights::Recipe>& recipes);

/// A store as the loader would make it from a file with drawn weights in the published layout.
weights::WeightStore draw_store(const std::vector<weights::Recipe>& recipes, uint64_t seed,
                                at::Device device = at::kCPU, at::ScalarType dtype = at::kFloat);

}  // namespace reel::testing
