#include "tests/support/tiny_model.h"

#include <ATen/ops/arange.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/json_reader.h"
#include "dit/config.h"
#include "dit/weight_table.h"
#include "tests/support/draw_weights.h"
#include "tests/support/torch_writer.h"
#include "vae/config.h"
#include "vae/weight_table.h"
#include "weights/safetensors.h"

namespace reel::testing {
namespace {

namespace fs = std::filesystem;

using Tensors = std::map<std::string, at::Tensor>;
using weights::WeightSpec;
using weights::WeightTable;

// transformers refuses files that do not say this.
const std::map<std::string, std::string> kFormat{{"format", "pt"}};

JsonReader read_config(const fs::path& configs, const std::string& part) {
  return JsonReader::open(configs / part / "config.json", JsonOwner::kModel);
}

dit::Config transformer_config(const fs::path& configs) {
  return dit::read_config(read_config(configs, "transformer"));
}

std::vector<weights::Recipe> transformer_recipes(const dit::Config& config) {
  return weights::recipes_for(dit::weight_table(config), dit::diffusers_rules(config));
}

std::vector<WeightSpec> vae_specs(const JsonReader& json) {
  const auto config = vae::Config::read(json);
  auto specs = vae::encoder_table(config).specs();
  const auto decoder = vae::decoder_table(config).specs();
  specs.insert(specs.end(), decoder.begin(), decoder.end());
  return specs;
}

// spec/hunyuanvideo.md 2.3, all layers and the final norm.
std::vector<WeightSpec> llama_specs(const JsonReader& json) {
  const int64_t width = json.positive("hidden_size");
  const int64_t mlp = json.positive("intermediate_size");
  const int64_t heads = json.positive("num_attention_heads");
  const int64_t key_width = width / heads * json.positive("num_key_value_heads");
  WeightTable table;
  table.add("embed_tokens.weight", {json.positive("vocab_size"), width});
  for (int64_t i = 0; i < json.positive("num_hidden_layers"); ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    table.add_norm(layer + "input_layernorm", width, false);
    table.add_norm(layer + "post_attention_layernorm", width, false);
    table.add_linear(layer + "self_attn.q_proj", width, width, false);
    table.add_linear(layer + "self_attn.k_proj", key_width, width, false);
    table.add_linear(layer + "self_attn.v_proj", key_width, width, false);
    table.add_linear(layer + "self_attn.o_proj", width, width, false);
    table.add_linear(layer + "mlp.gate_proj", mlp, width, false);
    table.add_linear(layer + "mlp.up_proj", mlp, width, false);
    table.add_linear(layer + "mlp.down_proj", width, mlp, false);
  }
  table.add_norm("norm", width, false);
  return table.specs();
}

// spec/hunyuanvideo.md 2.4, without the prefix "text_model.", as transformers 5 saves it.
std::vector<WeightSpec> clip_specs(const JsonReader& json) {
  const int64_t width = json.positive("hidden_size");
  const int64_t mlp = json.positive("intermediate_size");
  WeightTable table;
  table.add("embeddings.token_embedding.weight", {json.positive("vocab_size"), width});
  table.add("embeddings.position_embedding.weight",
            {json.positive("max_position_embeddings"), width});
  for (int64_t i = 0; i < json.positive("num_hidden_layers"); ++i) {
    const std::string layer = "encoder.layers." + std::to_string(i) + ".";
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      table.add_linear(layer + "self_attn." + name, width, width);
    }
    table.add_norm(layer + "layer_norm1", width, true);
    table.add_norm(layer + "layer_norm2", width, true);
    table.add_linear(layer + "mlp.fc1", mlp, width);
    table.add_linear(layer + "mlp.fc2", width, mlp);
  }
  table.add_norm("final_layer_norm", width, true);
  return table.specs();
}

Tensors draw_part(const fs::path& configs, const std::string& part) {
  const auto seeds = JsonReader::open(configs / "seeds.json", JsonOwner::kModel);
  return draw(published_part_specs(configs, part), static_cast<uint64_t>(seeds.integer(part)));
}

Tensors with_prefix(const Tensors& tensors, const std::string& prefix) {
  Tensors renamed;
  for (const auto& [name, tensor] : tensors) renamed[prefix + name] = tensor;
  return renamed;
}

void write_text(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream stream(file, std::ios::binary);
  stream.exceptions(std::ios::failbit | std::ios::badbit);
  stream << text;
}

// Writes `source` as a JSON file with the members of `changes` put in.
void write_changed_json(const fs::path& source, const fs::path& target,
                        const nlohmann::json& changes) {
  std::ifstream stream(source);
  auto json = nlohmann::json::parse(stream);
  json.update(changes);
  write_text(target, json.dump(2) + "\n");
}

// Two shards and their index, as diffusers names them.
void save_in_shards(const fs::path& folder, const std::string& stem, const Tensors& tensors) {
  const auto middle = std::next(tensors.begin(), static_cast<std::ptrdiff_t>(tensors.size() / 2));
  const std::vector<Tensors> shards{{tensors.begin(), middle}, {middle, tensors.end()}};
  nlohmann::json index{{"weight_map", nlohmann::json::object()}};
  uint64_t bytes = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = stem + "-0000" + std::to_string(i + 1) + "-of-00002.safetensors";
    weights::save_safetensors(folder / name, shards[i], kFormat);
    for (const auto& [tensor, value] : shards[i]) {
      index["weight_map"][tensor] = name;
      bytes += value.nbytes();
    }
  }
  index["metadata"] = {{"total_size", bytes}};
  write_text(folder / (stem + ".safetensors.index.json"), index.dump(2) + "\n");
}

void write_diffusers(const fs::path& configs, const fs::path& folder) {
  fs::copy(configs, folder, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  fs::remove(folder / "seeds.json");
  save_in_shards(folder / "transformer", "diffusion_pytorch_model",
                 draw_part(configs, "transformer"));
  weights::save_safetensors(folder / "vae/diffusion_pytorch_model.safetensors",
                            draw_part(configs, "vae"), kFormat);
  for (const char* part : {"text_encoder", "text_encoder_2"}) {
    weights::save_safetensors(folder / part / "model.safetensors", draw_part(configs, part),
                              kFormat);
  }
}

void write_official_transformer(const fs::path& configs, const fs::path& folder) {
  const auto config = transformer_config(configs);
  const auto published = draw_part(configs, "transformer");
  auto store = weights::assemble(
      transformer_recipes(config), [&](const std::string& name) { return published.at(name); },
      at::kCPU, at::kFloat);
  Tensors tensors;
  for (const auto& name : store.left()) tensors[name] = store.take(name);
  fs::create_directories(folder);
  save_torch_archive(folder / "mp_rank_00_model_states.pt", tensors, {"module"});
  // Other head sizes than the published one cannot be inferred from the weights.
  constexpr int64_t kPublishedHeadDim = 128;
  if (config.head_dim != kPublishedHeadDim) {
    fs::copy_file(configs / "transformer/config.json", folder / "config.json",
                  fs::copy_options::overwrite_existing);
  }
}

void write_official_vae(const fs::path& configs, const fs::path& folder) {
  fs::create_directories(folder);
  save_torch_archive(folder / "pytorch_model.pt", with_prefix(draw_part(configs, "vae"), "vae."),
                     {"state_dict"});
  const std::vector<std::string> down(4, "DownEncoderBlockCausal3D");
  const std::vector<std::string> up(4, "UpDecoderBlockCausal3D");
  const auto config = read_config(configs, "vae");
  nlohmann::json official{{"_class_name", "AutoencoderKLCausal3D"},
                          {"_diffusers_version", "0.4.2"},
                          {"sample_size", 256},
                          {"sample_tsize", 64},
                          {"time_compression_ratio", config.integer("temporal_compression_ratio")},
                          {"down_block_types", down},
                          {"up_block_types", up}};
  for (const auto& key : config.keys()) {
    if (!official.contains(key) && key != "temporal_compression_ratio") {
      official[key] = config.raw(key);
    }
  }
  write_text(folder / "config.json", official.dump(2) + "\n");
}

void write_official(const fs::path& configs, const fs::path& folder) {
  const fs::path root = folder / "hunyuan-video-t2v-720p";
  write_official_transformer(configs, root / "transformers");
  write_official_vae(configs, root / "vae");

  Tensors llama = with_prefix(draw_part(configs, "text_encoder"), "model.");
  llama["lm_head.weight"] = llama.at("model.embed_tokens.weight").clone();
  Tensors clip = with_prefix(draw_part(configs, "text_encoder_2"), "text_model.");
  const int64_t positions = clip.at("text_model.embeddings.position_embedding.weight").size(0);
  clip["text_model.embeddings.position_ids"] = at::arange(positions, at::kLong).unsqueeze(0);
  const std::pair<const char*, Tensors> encoders[] = {{"text_encoder", llama},
                                                      {"text_encoder_2", clip}};
  for (const auto& [part, tensors] : encoders) {
    fs::copy(configs / (part == encoders[0].first ? "tokenizer" : "tokenizer_2"), folder / part,
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    weights::save_safetensors(folder / part / "model.safetensors", tensors, kFormat);
  }
  write_changed_json(configs / "text_encoder/config.json", folder / "text_encoder/config.json",
                     {{"architectures", {"LlamaForCausalLM"}}});
  write_changed_json(configs / "text_encoder_2/config.json", folder / "text_encoder_2/config.json",
                     nlohmann::json::object());
}

}  // namespace

const std::vector<std::string>& tiny_model_parts() {
  static const std::vector<std::string> kParts{"transformer", "vae", "text_encoder",
                                               "text_encoder_2"};
  return kParts;
}

std::vector<WeightSpec> published_part_specs(const fs::path& configs, const std::string& part) {
  if (part == "transformer") {
    return published_specs(transformer_recipes(transformer_config(configs)));
  }
  const auto json = read_config(configs, part);
  if (part == "vae") return vae_specs(json);
  if (part == "text_encoder") return llama_specs(json);
  if (part == "text_encoder_2") return clip_specs(json);
  throw std::invalid_argument("published_part_specs: no part is called " + part);
}

void write_tiny_model(const fs::path& configs, const fs::path& folder, weights::Layout layout) {
  fs::create_directories(folder);
  if (layout == weights::Layout::kDiffusers) {
    write_diffusers(configs, folder);
  } else {
    write_official(configs, folder);
  }
}

}  // namespace reel::testing
