#include "tests/unit/dit/golden_case.h"

#include <ATen/ops/tensor.h>

#include <nlohmann/json.hpp>

#include "core/random.h"
#include "dit/weight_table.h"
#include "tests/support/compare.h"
#include "tests/support/draw_weights.h"

namespace reel::dit::testing {
namespace {

std::vector<double> numbers(const JsonReader& json, const std::string& key) {
  if (!json.has(key)) return {};
  return json.raw(key).get<std::vector<double>>();
}

GoldenCase read_case(const JsonReader& json) {
  GoldenCase golden;
  golden.name = json.string("name");
  golden.config = golden_config(json.string("model"));
  golden.latent_shape = json.integers("latents");
  golden.text_positions = json.integer("text_positions");
  golden.text_lengths = json.integers("text_lengths");
  golden.timestep = numbers(json, "timestep");
  golden.guidance = numbers(json, "guidance");
  return golden;
}

at::Tensor draw_normal(const std::string& seed, at::IntArrayRef shape) {
  return NormalStream(static_cast<uint64_t>(cases_json().integer(seed))).next(shape);
}

uint64_t weight_seed() {
  return static_cast<uint64_t>(cases_json().integer("weight_seed"));
}

std::vector<weights::Recipe> diffusers_recipes(const Config& config) {
  return weights::recipes_for(weight_table(config), diffusers_rules(config));
}

}  // namespace

JsonReader cases_json() {
  return JsonReader::open(reel::testing::data_file("dit/cases.json"), JsonOwner::kModel);
}

std::vector<GoldenCase> forward_cases() {
  std::vector<GoldenCase> cases;
  for (const auto& json : cases_json().objects("cases")) cases.push_back(read_case(json));
  return cases;
}

GoldenCase named_case(const std::string& key) {
  return read_case(cases_json().object(key));
}

Config golden_config(const std::string& model) {
  return read_config(cases_json().object("models").object(model));
}

std::vector<std::string> golden_models() {
  return cases_json().object("models").keys();
}

weights::WeightStore draw_diffusers_store(const Config& config, at::Device device,
                                          at::ScalarType dtype) {
  return reel::testing::draw_store(diffusers_recipes(config), weight_seed(), device, dtype);
}

std::map<std::string, at::Tensor> draw_official_tensors(const Config& config) {
  auto store = draw_diffusers_store(config);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& name : store.left()) tensors[name] = store.take(name);
  return tensors;
}

Inputs make_inputs(const GoldenCase& golden, at::Device device) {
  const int64_t batch = golden.latent_shape.at(0);
  Inputs inputs;
  inputs.latents = draw_normal("latents_seed", golden.latent_shape).to(device);
  const at::Tensor text =
      draw_normal("text_seed", {batch, golden.text_positions, golden.config.text_dim});
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t length = golden.text_lengths.at(static_cast<size_t>(b));
    inputs.text_states.push_back(text.select(0, b).narrow(0, 0, length).to(device));
  }
  inputs.text_pooled = draw_normal("pooled_seed", {batch, golden.config.pooled_dim}).to(device);
  inputs.timestep = at::tensor(golden.timestep, at::kFloat).to(device);
  if (!golden.guidance.empty()) {
    inputs.guidance = at::tensor(golden.guidance, at::kFloat).to(device);
  }
  return inputs;
}

weights::TensorSource golden_tensors(const std::string& name) {
  return weights::open_safetensors(reel::testing::data_file("dit/" + name + ".safetensors"));
}

}  // namespace reel::dit::testing
