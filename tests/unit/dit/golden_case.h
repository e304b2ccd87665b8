// The cases that tools/goldens/dit.py ran through the published class, ready to run through ours.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dit/config.h"
#include "dit/transformer.h"
#include "weights/safetensors.h"
#include "weights/weight_store.h"

namespace reel::dit::testing {

/// One run of the transformer: a model with drawn weights, and inputs drawn from seeds.
struct GoldenCase {
  std::string name;
  Config config;
  std::vector<int64_t> latent_shape;  ///< [B, C, T, h, w]
  int64_t text_positions = 0;         ///< rows of text that Python drew, noise past the valid ones
  std::vector<int64_t> text_lengths;  ///< valid rows of each sample
  std::vector<double> timestep;       ///< empty for the denoising case
  std::vector<double> guidance;       ///< empty if the model embeds none
};

/// tests/data/dit/cases.json.
JsonReader cases_json();

/// All cases of tests/data/dit/velocity.safetensors.
std::vector<GoldenCase> forward_cases();

/// The case under `key` of cases.json: "stages" or "denoise".
GoldenCase named_case(const std::string& key);

/// Config of one of the models of cases.json.
Config golden_config(const std::string& model);

/// Names of the models of cases.json.
std::vector<std::string> golden_models();

/// The weights of the case's model, drawn under diffusers' names and assembled by our rules.
weights::WeightStore draw_diffusers_store(const Config& config, at::Device device = at::kCPU,
                                          at::ScalarType dtype = at::kFloat);

/// The same numbers as tensors of the official layout.
std::map<std::string, at::Tensor> draw_official_tensors(const Config& config);

/// The inputs of the case on `device`, in fp32.
Inputs make_inputs(const GoldenCase& golden, at::Device device = at::kCPU);

/// Tensors of tests/data/dit/<name>.safetensors.
weights::TensorSource golden_tensors(const std::string& name);

}  // namespace reel::dit::testing
