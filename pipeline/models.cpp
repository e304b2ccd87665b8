#include "pipeline/models.h"

#include "core/error.h"
#include "dit/weight_table.h"
#include "schedulers/config.h"
#include "vae/weight_table.h"
#include "weights/name_prefix.h"

namespace reel::pipeline {
namespace {

constexpr double kPublishedFlowShift = 7.0;

dit::Config infer_from(const weights::TensorSource& source, const std::string& prefix) {
  std::vector<weights::WeightSpec> specs;
  for (const auto& info : source.infos()) {
    if (info.name.starts_with(prefix))
      specs.push_back({info.name.substr(prefix.size()), info.shape});
  }
  return dit::infer_config(specs, source.where());
}

dit::Config transformer_config(const weights::ModelPart& part, const weights::TensorSource& source,
                               const weights::NameMatch& match) {
  if (part.config) return dit::read_config(JsonReader::open(*part.config, JsonOwner::kModel));
  if (match.anchor != weights::kOfficialTransformerAnchor) {
    fail<WeightError>(source.where(), ": no config.json beside a file in the diffusers layout");
  }
  return infer_from(source, match.prefix);
}

struct VaeSource {
  vae::Config config;
  weights::TensorSource source;
  std::string prefix;
};

VaeSource open_vae(const weights::ModelFolder& folder) {
  auto source = weights::open_part(folder.vae);
  const auto match = weights::find_prefix(source, weights::vae_prefixes());
  return {read_vae_config(folder), std::move(source), match.prefix};
}

weights::WeightStore load_vae_half(const VaeSource& vae, const weights::WeightTable& table,
                                   std::vector<std::string> other_half, at::Device device,
                                   at::ScalarType dtype, const weights::LoadProgress& progress) {
  const auto recipes = weights::recipes_for(table, {}, vae.prefix);
  const weights::UnusedNames unused{vae.prefix, std::move(other_half), {}};
  return weights::load_weights("vae", vae.source, recipes, unused, device, dtype, progress);
}

}  // namespace

dit::Config read_transformer_config(const weights::ModelFolder& folder) {
  const auto source = weights::open_part(folder.transformer);
  const auto match = weights::find_prefix(source, weights::transformer_prefixes());
  return transformer_config(folder.transformer, source, match);
}

vae::Config read_vae_config(const weights::ModelFolder& folder) {
  if (!folder.vae.config) {
    fail<WeightError>(folder.vae.weights.string(), ": no config.json beside it");
  }
  return vae::Config::read(JsonReader::open(*folder.vae.config, JsonOwner::kModel));
}

double read_flow_shift(const weights::ModelFolder& folder) {
  if (!folder.scheduler) return kPublishedFlowShift;
  return schedulers::read_config(JsonReader::open(*folder.scheduler, JsonOwner::kModel)).shift;
}

dit::Transformer load_transformer(const weights::ModelFolder& folder, at::Device device,
                                  at::ScalarType dtype, const weights::LoadProgress& progress) {
  const auto source = weights::open_part(folder.transformer);
  const auto match = weights::find_prefix(source, weights::transformer_prefixes());
  const dit::Config config = transformer_config(folder.transformer, source, match);
  const bool official = match.anchor == weights::kOfficialTransformerAnchor;
  const auto rules = official ? std::vector<weights::Rule>{} : dit::diffusers_rules(config);
  const auto recipes = weights::recipes_for(dit::weight_table(config), rules, match.prefix);
  auto store = weights::load_weights("transformer", source, recipes, {match.prefix, {}, {}}, device,
                                     dtype, progress);
  return {config, store};
}

vae::Decoder load_decoder(const weights::ModelFolder& folder, at::Device device,
                          at::ScalarType dtype, const weights::LoadProgress& progress) {
  const VaeSource vae = open_vae(folder);
  auto store = load_vae_half(vae, vae::decoder_table(vae.config), vae::names_unused_by_decoder(),
                             device, dtype, progress);
  return {vae.config, store};
}

vae::Encoder load_encoder(const weights::ModelFolder& folder, at::Device device,
                          at::ScalarType dtype, const weights::LoadProgress& progress) {
  const VaeSource vae = open_vae(folder);
  auto store = load_vae_half(vae, vae::encoder_table(vae.config), vae::names_unused_by_encoder(),
                             device, dtype, progress);
  return {vae.config, store};
}

}  // namespace reel::pipeline
