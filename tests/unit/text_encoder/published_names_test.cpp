// Every spelling of tensor names in published files leads to the same model.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/support/draw_weights.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"
#include "text_encoder/clip_text.h"
#include "text_encoder/llama.h"
#include "weights/name_prefix.h"
#include "weights/safetensors.h"

namespace reel::text_encoder {
namespace {

using ::testing::HasSubstr;

constexpr const char* kLlamaConfig = R"({
  "model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 4,
  "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 20, "rms_norm_eps": 1e-5,
  "hidden_act": "silu", "rope_theta": 500000.0)";

LlamaConfig read_llama(const std::string& more = "") {
  return LlamaConfig::read(
      JsonReader::parse(kLlamaConfig + more + "}", "config.json", JsonOwner::kModel));
}

ClipTextConfig read_clip() {
  return ClipTextConfig::read(JsonReader::parse(
      R"({"model_type": "clip", "text_config": {"model_type": "clip_text_model", "hidden_size": 16,
          "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
          "vocab_size": 20, "max_position_embeddings": 77, "eos_token_id": 2,
          "layer_norm_eps": 1e-5, "hidden_act": "quick_gelu"}})",
      "config.json", JsonOwner::kModel));
}

at::Tensor ids() {
  return at::tensor({3, 1, 4, 1, 5, 9, 2, 6}, at::kLong).unsqueeze(0);
}

struct Spelling {
  const char* prefix;
  std::vector<std::string> extra;  // names that such files hold and no model uses
};

// A file with drawn `specs` under `spelling`, loaded as the pipeline does.
class SpelledFile {
 public:
  SpelledFile(const std::vector<weights::WeightSpec>& specs, const Spelling& spelling) {
    std::map<std::string, at::Tensor> tensors;
    for (const auto& [name, tensor] : testing::draw(specs, 5)) {
      tensors[spelling.prefix + name] = tensor;
    }
    for (const std::string& name : spelling.extra) tensors[name] = at::ones({2});
    weights::save_safetensors(folder_ / "model.safetensors", tensors);
  }

  weights::TensorSource source() const {
    return weights::open_safetensors(folder_ / "model.safetensors");
  }

 private:
  testing::TempFolder folder_;
};

at::Tensor llama_states(const Spelling& spelling) {
  const LlamaConfig config = read_llama();
  const SpelledFile file(llama_table(config).specs(), spelling);
  const auto source = file.source();
  const auto prefix = weights::find_prefix(source, weights::llama_prefixes()).prefix;
  EXPECT_EQ(prefix, spelling.prefix);
  auto store = weights::load_weights("text_encoder", source,
                                     weights::recipes_for(llama_table(config), {}, prefix),
                                     llama_unused_names(config, prefix), at::kCPU, at::kFloat);
  const Llama llama(config, store);
  EXPECT_TRUE(store.left().empty());
  return llama.forward(ids(), {8});
}

TEST(PublishedNames, LlamaIsFoundUnderEveryPrefix) {
  const at::Tensor want = llama_states({"", {"norm.weight", "layers.2.mlp.up_proj.weight"}});
  EXPECT_GT(want.abs().max().item<float>(), 0);
  const std::vector<Spelling> spellings = {
      {"model.", {"lm_head.weight", "model.norm.weight", "model.layers.3.input_layernorm.weight"}},
      {"language_model.model.",
       {"language_model.lm_head.weight", "language_model.model.norm.weight",
        "vision_tower.vision_model.encoder.layers.0.layer_norm1.weight",
        "multi_modal_projector.linear_1.weight"}},
      {"model.language_model.",
       {"lm_head.weight", "model.language_model.norm.weight",
        "model.vision_tower.vision_model.post_layernorm.weight",
        "model.multi_modal_projector.linear_2.bias"}},
  };
  for (const Spelling& spelling : spellings) {
    EXPECT_TRUE(llama_states(spelling).equal(want)) << spelling.prefix;
  }
}

TEST(PublishedNames, LlamaRefusesOtherTensors) {
  const auto error = testing::error_of<WeightError>(
      [] { llama_states({"model.", {"model.layers.4.input_layernorm.weight"}}); });
  EXPECT_THAT(error, HasSubstr("model.layers.4.input_layernorm.weight"));
}

at::Tensor clip_states(const Spelling& spelling) {
  const ClipTextConfig config = read_clip();
  const SpelledFile file(clip_text_table(config).specs(), spelling);
  const auto source = file.source();
  const auto prefix = weights::find_prefix(source, weights::clip_text_prefixes()).prefix;
  EXPECT_EQ(prefix, spelling.prefix);
  auto store = weights::load_weights("text_encoder_2", source,
                                     weights::recipes_for(clip_text_table(config), {}, prefix),
                                     clip_text_unused_names(prefix), at::kCPU, at::kFloat);
  const ClipText clip(config, store);
  EXPECT_TRUE(store.left().empty());
  return clip.forward(ids()).last_hidden_state;
}

TEST(PublishedNames, ClipIsFoundWithAndWithoutPrefix) {
  const at::Tensor want = clip_states({"", {}});
  EXPECT_GT(want.abs().max().item<float>(), 0);
  EXPECT_TRUE(clip_states({"text_model.", {"text_model.embeddings.position_ids"}}).equal(want));
  const Spelling whole{"text_model.",
                       {"vision_model.post_layernorm.bias", "visual_projection.weight",
                        "text_projection.weight", "logit_scale"}};
  EXPECT_TRUE(clip_states(whole).equal(want));
}

TEST(LlamaConfig, ReadsOldAndNewRopeSettings) {
  EXPECT_EQ(read_llama().rope_theta, 500000.0);
  EXPECT_EQ(read_llama(R"(, "rope_scaling": null)").rope_theta, 500000.0);
  EXPECT_EQ(read_llama(R"(, "rope_parameters": {"rope_type": "default", "rope_theta": 100.0})")
                .rope_theta,
            100.0);
}

TEST(LlamaConfig, RefusesHeadsWithoutFeaturesAndSizesBeyondEveryModel) {
  const auto error_with = [](const std::string& key, int64_t value) {
    auto json = nlohmann::json::parse(std::string(kLlamaConfig) + "}");
    json[key] = value;
    return testing::error_of<WeightError>([&] {
      LlamaConfig::read(JsonReader::parse(json.dump(), "config.json", JsonOwner::kModel));
    });
  };
  EXPECT_THAT(error_with("hidden_size", 1),
              HasSubstr("/head_dim: got 0, want an even number above 0"));
  EXPECT_THAT(error_with("num_hidden_layers", INT64_MAX),
              HasSubstr("/num_hidden_layers: too large"));
}

TEST(LlamaConfig, RefusesScaledRopeAndBiases) {
  const auto error = [](const std::string& more) {
    return testing::error_of<WeightError>([&] { read_llama(more); });
  };
  EXPECT_THAT(error(R"(, "rope_scaling": {"rope_type": "llama3", "factor": 8.0})"),
              HasSubstr("config.json: /rope_scaling/rope_type: unknown kind of RoPE: got llama3"));
  EXPECT_THAT(error(R"(, "rope_scaling": {"type": "linear", "factor": 2.0})"),
              HasSubstr("got linear"));
  EXPECT_THAT(error(R"(, "attention_bias": true)"), HasSubstr("/attention_bias: got true"));
}

}  // namespace
}  // namespace reel::text_encoder
