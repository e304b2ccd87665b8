// Whole small models with drawn weights, in the folders that published checkpoints come in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "weights/model_folder.h"
#include "weights/weight_table.h"

namespace reel::testing {

/// Names of the parts that have weights: transformer, vae, text_encoder, text_encoder_2.
const std::vector<std::string>& tiny_model_parts();

/// Every tensor of `part` as diffusers or transformers name it, from `configs`/`part`/config.json,
/// those included that our program does not use.
std::vector<weights::WeightSpec> published_part_specs(const std::filesystem::path& configs,
                                                      const std::string& part);

/// Writes a model to `folder`: configs and tokenizers of `configs`, a folder in the diffusers
/// layout without weights (tests/data/tiny_model), and fp32 weights drawn from the seeds in its
/// seeds.json, the same numbers in both layouts. The transformer's weights are sharded in the
/// diffusers layout; the official one has .pt files, prefixes and tensors that the program must
/// skip.
void write_tiny_model(const std::filesystem::path& configs, const std::filesystem::path& folder,
                      weights::Layout layout);

}  // namespace reel::testing
