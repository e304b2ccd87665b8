#include "text_encoder/llama_config.h"

#include <string>

namespace reel::text_encoder {
namespace {

// Far above every published model; products of sizes below these fit into 64 bits.
constexpr int64_t kMostLayers = 1000;
constexpr int64_t kMostHeads = 1024;
constexpr int64_t kLargestHead = 1024;
constexpr int64_t kWidest = 1 << 20;
constexpr int64_t kMostRows = 1 << 24;  // of an embedding

void want_false(const JsonReader& json, const std::string& key) {
  if (!json.is_null(key) && json.boolean(key)) json.fail_at(key, "got true, want false");
}

// transformers 5 keeps the rotary settings in an object of their own; before, they lay beside the
// others, with the scaling in an object that was null for plain RoPE.
double read_rope_theta(const JsonReader& json) {
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    if (json.is_null(key)) continue;
    const JsonReader rope = json.object(key);
    const char* type = rope.has("rope_type") ? "rope_type" : "type";
    if (!rope.is_null(type) && rope.string(type) != "default") {
      rope.fail_at(type, "unknown kind of RoPE: got " + rope.string(type) + ", want default");
    }
    if (rope.has("rope_theta")) return rope.number("rope_theta");
  }
  return json.number("rope_theta");
}

}  // namespace

LlamaConfig LlamaConfig::read(const JsonReader& json) {
  const std::string type = json.string("model_type");
  if (type == "llava") return read(json.object("text_config"));
  if (type != "llama") json.fail_at("model_type", "another model: got " + type + ", want llama");
  LlamaConfig config;
  config.hidden_size = json.positive("hidden_size", kWidest);
  config.intermediate_size = json.positive("intermediate_size", kWidest);
  config.num_layers = json.positive("num_hidden_layers", kMostLayers);
  config.num_heads = json.positive("num_attention_heads", kMostHeads);
  config.num_key_value_heads = json.is_null("num_key_value_heads")
                                   ? config.num_heads
                                   : json.positive("num_key_value_heads", kMostHeads);
  config.head_dim = json.is_null("head_dim") ? config.hidden_size / config.num_heads
                                             : json.positive("head_dim", kLargestHead);
  config.vocab_size = json.positive("vocab_size", kMostRows);
  config.norm_epsilon = json.number("rms_norm_eps");
  config.rope_theta = read_rope_theta(json);
  want_false(json, "attention_bias");
  want_false(json, "mlp_bias");
  if (json.string("hidden_act") != "silu") {
    json.fail_at("hidden_act", "got " + json.string("hidden_act") + ", want silu");
  }
  if (config.num_layers < 3) {
    json.fail_at("num_hidden_layers",
                 "too few: got " + std::to_string(config.num_layers) + ", want at least 3");
  }
  if (config.num_heads % config.num_key_value_heads != 0) {
    json.fail_at("num_key_value_heads", "got " + std::to_string(config.num_key_value_heads) +
                                            ", want a divisor of " +
                                            std::to_string(config.num_heads) + " heads");
  }
  if (config.head_dim < 2 || config.head_dim % 2 != 0) {
    json.fail_at("head_dim",
                 "got " + std::to_string(config.head_dim) + ", want an even number above 0");
  }
  return config;
}

}  // namespace reel::text_encoder
