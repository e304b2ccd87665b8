#include "text_encoder/clip_text.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "attention/dense.h"
#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::text_encoder {
namespace {

// Far above every published model; products of sizes below these fit into 64 bits.
constexpr int64_t kMostLayers = 1000;
constexpr int64_t kMostHeads = 1024;
constexpr int64_t kWidest = 1 << 20;
constexpr int64_t kMostRows = 1 << 24;  // of an embedding

std::string layer_stem(int64_t layer) {
  return "encoder.layers." + std::to_string(layer);
}

}  // namespace

ClipTextConfig ClipTextConfig::read(const JsonReader& json) {
  const std::string type = json.string("model_type");
  if (type == "clip" && json.has("text_config")) return read(json.object("text_config"));
  if (type != "clip_text_model") {
    json.fail_at("model_type", "another model: got " + type + ", want clip_text_model");
  }
  ClipTextConfig config;
  config.hidden_size = json.positive("hidden_size", kWidest);
  config.intermediate_size = json.positive("intermediate_size", kWidest);
  config.num_layers = json.positive("num_hidden_layers", kMostLayers);
  config.num_heads = json.positive("num_attention_heads", kMostHeads);
  config.vocab_size = json.positive("vocab_size", kMostRows);
  config.max_tokens = json.positive("max_position_embeddings", kMostRows);
  config.eos_id = json.integer("eos_token_id");
  config.norm_epsilon = json.number("layer_norm_eps");
  if (json.string("hidden_act") != "quick_gelu") {
    json.fail_at("hidden_act", "got " + json.string("hidden_act") + ", want quick_gelu");
  }
  if (config.hidden_size % config.num_heads != 0) {
    json.fail_at("num_attention_heads", "got " + std::to_string(config.num_heads) +
                                            ", want a divisor of the width " +
                                            std::to_string(config.hidden_size));
  }
  return config;
}

weights::WeightTable clip_text_table(const ClipTextConfig& config) {
  const int64_t width = config.hidden_size;
  weights::WeightTable table;
  table.add("embeddings.token_embedding.weight", {config.vocab_size, width});
  table.add("embeddings.position_embedding.weight", {config.max_tokens, width});
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    const std::string stem = layer_stem(layer);
    table.add_norm(stem + ".layer_norm1", width, /*bias=*/true);
    table.add_norm(stem + ".layer_norm2", width, /*bias=*/true);
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      table.add_linear(stem + ".self_attn." + name, width, width);
    }
    table.add_linear(stem + ".mlp.fc1", config.intermediate_size, width);
    table.add_linear(stem + ".mlp.fc2", width, config.intermediate_size);
  }
  table.add_norm("final_layer_norm", width, /*bias=*/true);
  return table;
}

weights::UnusedNames clip_text_unused_names(const std::string& prefix) {
  return {prefix,
          {"vision_model.", "visual_projection.", "text_projection.", "logit_scale"},
          {"embeddings.position_ids"}};
}

ClipText::Layer::Layer(weights::WeightStore& store, const std::string& stem)
    : norm_1(store, stem + ".layer_norm1"),
      query(store, stem + ".self_attn.q_proj"),
      key(store, stem + ".self_attn.k_proj"),
      value(store, stem + ".self_attn.v_proj"),
      out(store, stem + ".self_attn.out_proj"),
      norm_2(store, stem + ".layer_norm2"),
      fc_1(store, stem + ".mlp.fc1"),
      fc_2(store, stem + ".mlp.fc2") {}

ClipText::ClipText(const ClipTextConfig& config, weights::WeightStore& store)
    : config_(config),
      token_embedding_(store.take_weight("embeddings.token_embedding")),
      position_embedding_(store.take_weight("embeddings.position_embedding")),
      final_norm_(store, "final_layer_norm") {
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    layers_.emplace_back(store, layer_stem(layer));
  }
}

at::Tensor ClipText::norm(const Affine& affine, const at::Tensor& x) const {
  return at::layer_norm(x, {config_.hidden_size}, affine.weight, affine.bias, config_.norm_epsilon);
}

at::Tensor ClipText::run_layer(const Layer& layer, const at::Tensor& x) const {
  const at::Tensor y = norm(layer.norm_1, x);
  const auto heads = [&](const Affine& affine) {
    return at::linear(y, affine.weight, affine.bias)
        .view({x.size(0), x.size(1), config_.num_heads, -1});
  };
  const at::Tensor mixed = attention::dense_attention(heads(layer.query), heads(layer.key),
                                                      heads(layer.value), /*causal=*/true);
  const at::Tensor h = x + at::linear(mixed.flatten(2), layer.out.weight, layer.out.bias);
  const at::Tensor wide = at::linear(norm(layer.norm_2, h), layer.fc_1.weight, layer.fc_1.bias);
  const at::Tensor activated = wide * at::sigmoid(1.702 * wide);  // "quick GELU"
  return h + at::linear(activated, layer.fc_2.weight, layer.fc_2.bias);
}

int64_t ClipText::end_position(const at::Tensor& row) const {
  const auto* begin = row.const_data_ptr<int64_t>();
  const auto* end = begin + row.numel();
  constexpr int64_t kLegacyEosId = 2;
  if (config_.eos_id == kLegacyEosId) return std::max_element(begin, end) - begin;
  const auto* found = std::find(begin, end, config_.eos_id);
  if (found == end) fail<ConfigError>("clip: a row has no end-of-text token ", config_.eos_id);
  return found - begin;
}

ClipTextOutput ClipText::forward(const at::Tensor& ids) const {
  check_tensor("ClipText::forward", ids, "ids", {{'B', kAny}, {'S', kAny}}, at::kLong);
  if (ids.size(1) > config_.max_tokens) {
    fail<ConfigError>("clip: too many tokens: got ", ids.size(1), ", want at most ",
                      config_.max_tokens);
  }
  const at::Tensor host = ids.cpu().contiguous();
  if (host.lt(0).logical_or(host.ge(config_.vocab_size)).any().item<bool>()) {
    fail<ConfigError>("clip: input_ids: an id is outside the vocabulary: want 0 to ",
                      config_.vocab_size - 1);
  }
  at::Tensor x = at::embedding(token_embedding_, host.to(token_embedding_.device())) +
                 position_embedding_.narrow(0, 0, ids.size(1));
  for (const auto& layer : layers_) x = run_layer(layer, x);
  x = norm(final_norm_, x);

  std::vector<at::Tensor> pooled;
  for (int64_t b = 0; b < host.size(0); ++b) pooled.push_back(x[b][end_position(host[b])]);
  return {x, at::stack(pooled)};
}

}  // namespace reel::text_encoder
