#include "dit/weight_table.h"

#include <string>

#include "dit/timestep_embedding.h"

namespace reel::dit {
namespace {

using weights::Assembly;
using weights::Rule;
using weights::WeightTable;

void add_embedders(WeightTable& table, const Config& config) {
  const int64_t width = config.width();
  table.add_conv3d("img_in.proj", width, config.channels, config.patch_size_t, config.patch_size,
                   config.patch_size);
  table.add_linear("time_in.mlp.0", width, kTimestepFeatures);
  table.add_linear("time_in.mlp.2", width, width);
  table.add_linear("vector_in.in_layer", width, config.pooled_dim);
  table.add_linear("vector_in.out_layer", width, width);
  if (config.embeds_guidance) {
    table.add_linear("guidance_in.mlp.0", width, kTimestepFeatures);
    table.add_linear("guidance_in.mlp.2", width, width);
  }
}

void add_refiner(WeightTable& table, const Config& config) {
  const int64_t width = config.width();
  table.add_linear("txt_in.input_embedder", width, config.text_dim);
  table.add_linear("txt_in.t_embedder.mlp.0", width, kTimestepFeatures);
  table.add_linear("txt_in.t_embedder.mlp.2", width, width);
  table.add_linear("txt_in.c_embedder.linear_1", width, config.text_dim);
  table.add_linear("txt_in.c_embedder.linear_2", width, width);
  for (int64_t i = 0; i < config.num_refiner_blocks; ++i) {
    const std::string block = "txt_in.individual_token_refiner.blocks." + std::to_string(i) + ".";
    table.add_norm(block + "norm1", width, /*bias=*/true);
    table.add_linear(block + "self_attn_qkv", 3 * width, width);
    table.add_linear(block + "self_attn_proj", width, width);
    table.add_norm(block + "norm2", width, /*bias=*/true);
    table.add_linear(block + "mlp.fc1", config.refiner_mlp_width(), width);
    table.add_linear(block + "mlp.fc2", width, config.refiner_mlp_width());
    table.add_linear(block + "adaLN_modulation.1", 2 * width, width);
  }
}

void add_double_block(WeightTable& table, const Config& config, const std::string& block) {
  const int64_t width = config.width();
  for (const std::string stream : {"img_", "txt_"}) {
    table.add_linear(block + stream + "mod.linear", 6 * width, width);
    table.add_linear(block + stream + "attn_qkv", 3 * width, width);
    table.add_norm(block + stream + "attn_q_norm", config.head_dim, /*bias=*/false);
    table.add_norm(block + stream + "attn_k_norm", config.head_dim, /*bias=*/false);
    table.add_linear(block + stream + "attn_proj", width, width);
    table.add_linear(block + stream + "mlp.fc1", config.mlp_width, width);
    table.add_linear(block + stream + "mlp.fc2", width, config.mlp_width);
  }
}

void add_single_block(WeightTable& table, const Config& config, const std::string& block) {
  const int64_t width = config.width();
  table.add_linear(block + "linear1", 3 * width + config.mlp_width, width);
  table.add_linear(block + "linear2", width, width + config.mlp_width);
  table.add_norm(block + "q_norm", config.head_dim, /*bias=*/false);
  table.add_norm(block + "k_norm", config.head_dim, /*bias=*/false);
  table.add_linear(block + "modulation.linear", 3 * width, width);
}

// A stem, or everything below a prefix, under another name.
Rule renamed(const std::string& internal, const std::string& published) {
  return {internal, {{published}}};
}

void add_embedder_rules(std::vector<Rule>& rules) {
  const std::string time = "time_text_embed.";
  const std::string text = "context_embedder.";
  rules.insert(
      rules.end(),
      {renamed("img_in.", "x_embedder."),
       renamed("time_in.mlp.0", time + "timestep_embedder.linear_1"),
       renamed("time_in.mlp.2", time + "timestep_embedder.linear_2"),
       renamed("guidance_in.mlp.0", time + "guidance_embedder.linear_1"),
       renamed("guidance_in.mlp.2", time + "guidance_embedder.linear_2"),
       renamed("vector_in.in_layer", time + "text_embedder.linear_1"),
       renamed("vector_in.out_layer", time + "text_embedder.linear_2"),
       renamed("txt_in.input_embedder", text + "proj_in"),
       renamed("txt_in.t_embedder.mlp.0", text + "time_text_embed.timestep_embedder.linear_1"),
       renamed("txt_in.t_embedder.mlp.2", text + "time_text_embed.timestep_embedder.linear_2"),
       renamed("txt_in.c_embedder.", text + "time_text_embed.text_embedder.")});
}

void add_refiner_rules(std::vector<Rule>& rules) {
  const std::string from = "txt_in.individual_token_refiner.blocks.{}.";
  const std::string to = "context_embedder.token_refiner.refiner_blocks.{}.";
  rules.insert(rules.end(), {renamed(from, to),
                             {from + "self_attn_qkv",
                              {{to + "attn.to_q"}, {to + "attn.to_k"}, {to + "attn.to_v"}}},
                             renamed(from + "self_attn_proj", to + "attn.to_out.0"),
                             renamed(from + "mlp.fc1", to + "ff.net.0.proj"),
                             renamed(from + "mlp.fc2", to + "ff.net.2"),
                             renamed(from + "adaLN_modulation.1", to + "norm_out.linear")});
}

void add_double_block_rules(std::vector<Rule>& rules) {
  const std::string from = "double_blocks.{}.";
  const std::string to = "transformer_blocks.{}.";
  const std::string attn = to + "attn.";
  rules.insert(rules.end(),
               {renamed(from + "img_mod.", to + "norm1."),
                renamed(from + "txt_mod.", to + "norm1_context."),
                {from + "img_attn_qkv", {{attn + "to_q"}, {attn + "to_k"}, {attn + "to_v"}}},
                {from + "txt_attn_qkv",
                 {{attn + "add_q_proj"}, {attn + "add_k_proj"}, {attn + "add_v_proj"}}},
                renamed(from + "img_attn_q_norm", attn + "norm_q"),
                renamed(from + "img_attn_k_norm", attn + "norm_k"),
                renamed(from + "txt_attn_q_norm", attn + "norm_added_q"),
                renamed(from + "txt_attn_k_norm", attn + "norm_added_k"),
                renamed(from + "img_attn_proj", attn + "to_out.0"),
                renamed(from + "txt_attn_proj", attn + "to_add_out"),
                renamed(from + "img_mlp.fc1", to + "ff.net.0.proj"),
                renamed(from + "img_mlp.fc2", to + "ff.net.2"),
                renamed(from + "txt_mlp.fc1", to + "ff_context.net.0.proj"),
                renamed(from + "txt_mlp.fc2", to + "ff_context.net.2")});
}

void add_single_block_rules(std::vector<Rule>& rules, int64_t width) {
  const std::string from = "single_blocks.{}.";
  const std::string to = "single_transformer_blocks.{}.";
  rules.insert(rules.end(), {{from + "linear1",
                              {{to + "attn.to_q", width},
                               {to + "attn.to_k", width},
                               {to + "attn.to_v", width},
                               {to + "proj_mlp"}}},
                             renamed(from + "linear2", to + "proj_out"),
                             renamed(from + "q_norm", to + "attn.norm_q"),
                             renamed(from + "k_norm", to + "attn.norm_k"),
                             renamed(from + "modulation.", to + "norm.")});
}

}  // namespace

WeightTable weight_table(const Config& config) {
  WeightTable table;
  add_embedders(table, config);
  add_refiner(table, config);
  for (int64_t i = 0; i < config.num_double_blocks; ++i) {
    add_double_block(table, config, "double_blocks." + std::to_string(i) + ".");
  }
  for (int64_t i = 0; i < config.num_single_blocks; ++i) {
    add_single_block(table, config, "single_blocks." + std::to_string(i) + ".");
  }
  table.add_linear("final_layer.linear", config.patch_elements(), config.width());
  table.add_linear("final_layer.adaLN_modulation.1", 2 * config.width(), config.width());
  return table;
}

std::vector<Rule> diffusers_rules(const Config& config) {
  std::vector<Rule> rules;
  add_embedder_rules(rules);
  add_refiner_rules(rules);
  add_double_block_rules(rules);
  add_single_block_rules(rules, config.width());
  rules.push_back(renamed("final_layer.linear", "proj_out"));
  rules.push_back({"final_layer.adaLN_modulation.1", {{"norm_out.linear"}}, Assembly::kSwapHalves});
  return rules;
}

}  // namespace reel::dit
