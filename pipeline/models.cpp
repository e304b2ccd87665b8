#include "pipeline/models.h"

#include <ATen/ops/empty.h>

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

// One part of the model: where its tensors are and what they become.
struct PartPlan {
  std::string where;
  weights::TensorSource source;
  std::vector<weights::Recipe> recipes;
  weights::UnusedNames unused;

  weights::WeightStore load(at::Device device, at::ScalarType dtype,
                            const weights::LoadProgress& progress) const {
    return weights::load_weights(where, source, recipes, unused, device, dtype, progress);
  }
};

PartPlan plan_transformer(const weights::ModelFolder& folder, const dit::Config& config) {
  auto source = weights::open_part(folder.transformer);
  const auto match = weights::find_prefix(source, weights::transformer_prefixes());
  const bool official = match.anchor == weights::kOfficialTransformerAnchor;
  const auto rules = official ? std::vector<weights::Rule>{} : dit::diffusers_rules(config);
  return {"transformer",
          std::move(source),
          weights::recipes_for(dit::weight_table(config), rules, match.prefix),
          {match.prefix, {}, {}}};
}

PartPlan plan_vae_half(const weights::ModelFolder& folder, const weights::WeightTable& table,
                       std::vector<std::string> other_half) {
  auto source = weights::open_part(folder.vae);
  const auto match = weights::find_prefix(source, weights::vae_prefixes());
  return {"vae",
          std::move(source),
          weights::recipes_for(table, {}, match.prefix),
          {match.prefix, std::move(other_half), {}}};
}

PartPlan plan_decoder(const weights::ModelFolder& folder, const vae::Config& config) {
  return plan_vae_half(folder, vae::decoder_table(config), vae::names_unused_by_decoder());
}

PartPlan plan_llama(const weights::ModelFolder& folder, const text_encoder::LlamaConfig& config) {
  auto source = weights::open_part(folder.text_encoder);
  const auto match = weights::find_prefix(source, weights::llama_prefixes());
  return {"text encoder", std::move(source),
          weights::recipes_for(text_encoder::llama_table(config), {}, match.prefix),
          text_encoder::llama_unused_names(config, match.prefix)};
}

PartPlan plan_clip_text(const weights::ModelFolder& folder,
                        const text_encoder::ClipTextConfig& config) {
  auto source = weights::open_part(folder.text_encoder_2);
  const auto match = weights::find_prefix(source, weights::clip_text_prefixes());
  return {"CLIP text encoder", std::move(source),
          weights::recipes_for(text_encoder::clip_text_table(config), {}, match.prefix),
          text_encoder::clip_text_unused_names(match.prefix)};
}

PartCheck missing_part(const std::string& name) {
  return {.name = name, .problem = "files are missing", .is_missing = true};
}

bool has_tokenizers(const weights::ModelFolder& folder) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(folder.tokenizer / "tokenizer.json", ignored) &&
         std::filesystem::is_regular_file(folder.tokenizer_2 / "vocab.json", ignored) &&
         std::filesystem::is_regular_file(folder.tokenizer_2 / "merges.txt", ignored);
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

text_encoder::LlamaConfig read_llama_config(const weights::ModelFolder& folder) {
  return text_encoder::LlamaConfig::read(open_config(folder.text_encoder));
}

text_encoder::ClipTextConfig read_clip_text_config(const weights::ModelFolder& folder) {
  return text_encoder::ClipTextConfig::read(open_config(folder.text_encoder_2));
}

double read_flow_shift(const weights::ModelFolder& folder) {
  if (!folder.scheduler) return kPublishedFlowShift;
  return schedulers::read_config(JsonReader::open(*folder.scheduler, JsonOwner::kModel)).shift;
}

dit::Transformer load_transformer(const weights::ModelFolder& folder, at::Device device,
                                  at::ScalarType dtype, const weights::LoadProgress& progress) {
  const dit::Config config = read_transformer_config(folder);
  auto store = plan_transformer(folder, config).load(device, dtype, progress);
  return {config, store};
}

dit::Transformer load_streamed_transformer(const weights::ModelFolder& folder, at::Device device,
                                           at::ScalarType dtype,
                                           const weights::LoadProgress& progress) {
  const dit::Config config = read_transformer_config(folder);
  const PartPlan plan = plan_transformer(folder, config);
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  auto blocks = std::make_unique<dit::BlockStream>(config, options);
  auto tensors = blocks->host_tensors();
  for (const auto& recipe : plan.recipes) {
    auto& tensor = tensors[recipe.target.name];
    if (!tensor.defined()) tensor = at::empty(recipe.target.shape, options);
  }
  weights::load_weights_into(tensors, plan.where, plan.source, plan.recipes, plan.unused, progress);
  blocks->pin();
  for (auto& [name, tensor] : blocks->slot_tensors()) tensors[name] = tensor;
  weights::WeightStore store(std::move(tensors));
  return {config, store, std::move(blocks)};
}

vae::Decoder load_decoder(const weights::ModelFolder& folder, at::Device device,
                          at::ScalarType dtype, const weights::LoadProgress& progress) {
  const auto config = read_vae_config(folder);
  auto store = plan_decoder(folder, config).load(device, dtype, progress);
  return {config, store};
}

vae::Encoder load_encoder(const weights::ModelFolder& folder, at::Device device,
                          at::ScalarType dtype, const weights::LoadProgress& progress) {
  const auto config = read_vae_config(folder);
  auto store = plan_vae_half(folder, vae::encoder_table(config), vae::names_unused_by_encoder())
                   .load(device, dtype, progress);
  return {config, store};
}

text_encoder::Llama load_llama(const weights::ModelFolder& folder, at::Device device,
                               at::ScalarType dtype, const weights::LoadProgress& progress) {
  const auto config = read_llama_config(folder);
  auto store = plan_llama(folder, config).load(device, dtype, progress);
  return {config, store};
}

text_encoder::ClipText load_clip_text(const weights::ModelFolder& folder, at::Device device,
                                      at::ScalarType dtype, const weights::LoadProgress& progress) {
  const auto config = read_clip_text_config(folder);
  auto store = plan_clip_text(folder, config).load(device, dtype, progress);
  return {config, store};
}

std::vector<PartCheck> check_models(const weights::ModelFolder& folder) {
  std::vector<PartCheck> checks;
  const auto add = [&](const std::string& name, const weights::ModelPart& part,
                       const auto& plan_part) {
    PartCheck check{.name = name, .problem = {}};
    const bool needs_config = &part != &folder.transformer;
    if (part.weights.empty() || (needs_config && !part.config)) {
      checks.push_back(missing_part(name));
      return;
    }
    try {
      const PartPlan plan = plan_part();
      for (const auto& file : plan.source.files()) check.bytes += file.bytes;
      for (const auto& recipe : plan.recipes) check.num_parameters += recipe.target.num_elements();
      weights::check_weights(name, plan.source, plan.recipes, plan.unused);
    } catch (const WeightError& error) {
      check.problem = error.what();
    }
    checks.push_back(std::move(check));
  };
  add("transformer", folder.transformer,
      [&] { return plan_transformer(folder, read_transformer_config(folder)); });
  add("vae", folder.vae, [&] { return plan_decoder(folder, read_vae_config(folder)); });
  add("text encoder", folder.text_encoder,
      [&] { return plan_llama(folder, read_llama_config(folder)); });
  add("CLIP text encoder", folder.text_encoder_2,
      [&] { return plan_clip_text(folder, read_clip_text_config(folder)); });
  if (!has_tokenizers(folder)) {
    checks.push_back(missing_part("tokenizers"));
    return checks;
  }
  PartCheck tokenizers{.name = "tokenizers", .problem = {}};
  try {
    const text_encoder::PromptTokenizer both(folder.tokenizer, folder.tokenizer_2);
  } catch (const WeightError& error) {
    tokenizers.problem = error.what();
  }
  checks.push_back(std::move(tokenizers));
  return checks;
}

text_encoder::TextConditioner load_text_conditioner(const weights::ModelFolder& folder,
                                                    at::Device device, at::ScalarType dtype,
                                                    const weights::LoadProgress& progress) {
  return {text_encoder::PromptTokenizer(folder.tokenizer, folder.tokenizer_2),
          load_llama(folder, device, dtype, progress),
          load_clip_text(folder, device, dtype, progress)};
}

}  // namespace reel::pipeline
