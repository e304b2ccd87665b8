// Which tensors the transformer has, and how the diffusers layout spells them.
#pragma once

#include <vector>

#include "dit/config.h"
#include "weights/published_layout.h"
#include "weights/weight_table.h"

namespace reel::dit {

/// Names and shapes in the official, fused layout (spec/hunyuanvideo.md 1.2), which is also the one
/// in memory: an official file needs no rules.
weights::WeightTable weight_table(const Config& config);

/// How diffusers spells and splits the same tensors: q, k, v (and the MLP) apart, and the two
/// halves of the final modulation the other way round.
std::vector<weights::Rule> diffusers_rules(const Config& config);

}  // namespace reel::dit
