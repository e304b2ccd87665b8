#include "text_encoder/llama.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "attention/dense.h"
#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::text_encoder {
namespace {

std::string layer_stem(int64_t layer) {
  return "layers." + std::to_string(layer);
}

// fp32 inside, one rounding, then the weight: the order of the published model.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scale = at::rsqrt(wide.square().mean(-1, /*keepdim=*/true) + epsilon);
  return weight * (wide * scale).to(x.scalar_type());
}

// Cosines and sines [1, S, 1, D] of the half-split rotation, rounded to the activations' dtype.
std::pair<at::Tensor, at::Tensor> rotary_tables(const LlamaConfig& config, int64_t num_tokens,
                                                const at::Tensor& like) {
  const auto wide = at::TensorOptions().dtype(at::kFloat).device(like.device());
  const at::Tensor exponents = at::arange(0, config.head_dim, 2, wide) / config.head_dim;
  const at::Tensor frequencies = 1.0 / at::pow(config.rope_theta, exponents);
  const at::Tensor half = at::outer(at::arange(num_tokens, wide), frequencies);
  const at::Tensor angles = at::cat({half, half}, -1).view({1, num_tokens, 1, config.head_dim});
  return {angles.cos().to(like.scalar_type()), angles.sin().to(like.scalar_type())};
}

at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const auto halves = x.chunk(2, -1);
  return x * cos + at::cat({-halves[1], halves[0]}, -1) * sin;
}

}  // namespace

weights::WeightTable llama_table(const LlamaConfig& config) {
  const int64_t width = config.hidden_size;
  const int64_t query_size = config.num_heads * config.head_dim;
  const int64_t key_size = config.num_key_value_heads * config.head_dim;
  weights::WeightTable table;
  table.add("embed_tokens.weight", {config.vocab_size, width});
  for (int64_t layer = 0; layer < config.num_used_layers(); ++layer) {
    const std::string stem = layer_stem(layer);
    table.add_norm(stem + ".input_layernorm", width, /*bias=*/false);
    table.add_norm(stem + ".post_attention_layernorm", width, /*bias=*/false);
    table.add_linear(stem + ".self_attn.q_proj", query_size, width, /*bias=*/false);
    table.add_linear(stem + ".self_attn.k_proj", key_size, width, /*bias=*/false);
    table.add_linear(stem + ".self_attn.v_proj", key_size, width, /*bias=*/false);
    table.add_linear(stem + ".self_attn.o_proj", width, query_size, /*bias=*/false);
    table.add_linear(stem + ".mlp.gate_proj", config.intermediate_size, width, /*bias=*/false);
    table.add_linear(stem + ".mlp.up_proj", config.intermediate_size, width, /*bias=*/false);
    table.add_linear(stem + ".mlp.down_proj", width, config.intermediate_size, /*bias=*/false);
  }
  return table;
}

weights::UnusedNames llama_unused_names(const LlamaConfig& config, const std::string& prefix) {
  weights::UnusedNames unused{
      prefix,
      {"norm.", "lm_head.", "language_model.lm_head.", "vision_tower.", "multi_modal_projector.",
       "model.vision_tower.", "model.multi_modal_projector."},
      {".rotary_emb.inv_freq"}};
  for (int64_t layer = config.num_used_layers(); layer < config.num_layers; ++layer) {
    unused.beginnings.push_back(layer_stem(layer) + ".");
  }
  return unused;
}

Llama::Layer::Layer(const LlamaConfig&, weights::WeightStore& store, const std::string& stem)
    : input_norm(store.take_weight(stem + ".input_layernorm")),
      post_norm(store.take_weight(stem + ".post_attention_layernorm")),
      query(store.take_weight(stem + ".self_attn.q_proj")),
      key(store.take_weight(stem + ".self_attn.k_proj")),
      value(store.take_weight(stem + ".self_attn.v_proj")),
      out(store.take_weight(stem + ".self_attn.o_proj")),
      gate(store.take_weight(stem + ".mlp.gate_proj")),
      up(store.take_weight(stem + ".mlp.up_proj")),
      down(store.take_weight(stem + ".mlp.down_proj")) {}

Llama::Llama(const LlamaConfig& config, weights::WeightStore& store)
    : config_(config), embedding_(store.take_weight("embed_tokens")) {
  for (int64_t layer = 0; layer < config.num_used_layers(); ++layer) {
    layers_.emplace_back(config, store, layer_stem(layer));
  }
}

at::Tensor Llama::run_layer(const Layer& layer, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) const {
  const int64_t batch = x.size(0);
  const int64_t num_tokens = x.size(1);
  const auto heads = [&](const at::Tensor& y, const at::Tensor& weight) {
    return at::linear(y, weight).view({batch, num_tokens, -1, config_.head_dim});
  };
  const at::Tensor y = rms_norm(x, layer.input_norm, config_.norm_epsilon);
  const at::Tensor q = rotate(heads(y, layer.query), cos, sin);
  const at::Tensor k = rotate(heads(y, layer.key), cos, sin);
  const at::Tensor mixed =
      attention::dense_attention(q, k, heads(y, layer.value), /*causal=*/true).flatten(2);
  const at::Tensor h = x + at::linear(mixed, layer.out);
  const at::Tensor z = rms_norm(h, layer.post_norm, config_.norm_epsilon);
  const at::Tensor gated = at::silu(at::linear(z, layer.gate)) * at::linear(z, layer.up);
  return h + at::linear(gated, layer.down);
}

at::Tensor Llama::forward(const at::Tensor& ids, const std::vector<int64_t>& lengths) const {
  const auto batch = static_cast<int64_t>(lengths.size());
  check_tensor("Llama::forward", ids, "ids", {{'B', batch}, {'S', kAny}}, at::kLong);
  if (ids.lt(0).logical_or(ids.ge(config_.vocab_size)).any().item<bool>()) {
    fail<ConfigError>("llama: input_ids: an id is outside the vocabulary: want 0 to ",
                      config_.vocab_size - 1);
  }
  // Causal and padded on the right: what stands behind the longest row changes nothing.
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  at::Tensor x = at::embedding(embedding_, ids.narrow(1, 0, longest).to(device()));
  const auto [cos, sin] = rotary_tables(config_, longest, x);
  for (const auto& layer : layers_) x = run_layer(layer, x, cos, sin);

  at::Tensor states = at::zeros({batch, ids.size(1), config_.hidden_size}, x.options());
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t length = lengths[static_cast<size_t>(b)];
    states[b].narrow(0, 0, length).copy_(x[b].narrow(0, 0, length));
  }
  return states;
}

}  // namespace reel::text_encoder
