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

JsonReader open_config(const weights::ModelPart& part) {
  if (!part.config) fail<WeightError>(part.weights.string(), ": no config.json beside it");
  return JsonReader::open(*part.config, JsonOwner::kModel);
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
  return vae::Config::read(open_config(folder.vae));
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

text_encoder::Llama load_llama(const weights::ModelFolder& folder, at::Device device,
                               at::ScalarType dtype, const weights::LoadProgress& progress) {
  const auto config = text_encoder::LlamaConfig::read(open_config(folder.text_encoder));
  const auto source = weights::open_part(folder.text_encoder);
  const auto match = weights::find_prefix(source, weights::llama_prefixes());
  const auto recipes = weights::recipes_for(text_encoder::llama_table(config), {}, match.prefix);
  auto store = weights::load_weights("text encoder", source, recipes,
                                     text_encoder::llama_unused_names(config, match.prefix), device,
                                     dtype, progress);
  return {config, store};
}

text_encoder::ClipText load_clip_text(const weights::ModelFolder& folder, at::Device device,
                                      at::ScalarType dtype, const weights::LoadProgress& progress) {
  const auto config = text_encoder::ClipTextConfig::read(open_config(folder.text_encoder_2));
  const auto source = weights::open_part(folder.text_encoder_2);
  const auto match = weights::find_prefix(source, weights::clip_text_prefixes());
  const auto recipes =
      weights::recipes_for(text_encoder::clip_text_table(config), {}, match.prefix);
  auto store = weights::load_weights("CLIP text encoder", source, recipes,
                                     text_encoder::clip_text_unused_names(match.prefix), device,
                                     dtype, progress);
  return {config, store};
}

text_encoder::TextConditioner load_text_conditioner(const weights::ModelFolder& folder,
                                                    at::Device device, at::ScalarType dtype,
                                                    const weights::LoadProgress& progress) {
  return {text_encoder::PromptTokenizer(folder.tokenizer, folder.tokenizer_2),
          load_llama(folder, device, dtype, progress),
          load_clip_text(folder, device, dtype, progress)};
}

}  // namespace reel::pipeline
