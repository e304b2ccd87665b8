// Both layouts of one model, from folder to tensors, through everything that weights/ offers.
#include "tests/support/tiny_model.h"

#include <gtest/gtest.h>

#include "dit/config.h"
#include "dit/weight_table.h"
#include "tests/support/draw_weights.h"
#include "tests/support/temp_folder.h"
#include "vae/config.h"
#include "vae/weight_table.h"
#include "weights/load_weights.h"
#include "weights/model_folder.h"
#include "weights/name_prefix.h"

namespace reel::weights {
namespace {

constexpr const char* kTransformer = R"({"_class_name":"HunyuanVideoTransformer3DModel",
 "in_channels":4,"out_channels":4,"num_attention_heads":2,"attention_head_dim":10,"num_layers":1,
 "num_single_layers":2,"num_refiner_layers":1,"mlp_ratio":4.0,"patch_size":2,"patch_size_t":1,
 "qk_norm":"rms_norm","guidance_embeds":true,"text_embed_dim":16,"pooled_projection_dim":8,
 "rope_theta":256.0,"rope_axes_dim":[2,4,4],"image_condition_type":null})";

constexpr const char* kVae = R"({"_class_name":"AutoencoderKLHunyuanVideo","in_channels":3,
 "out_channels":3,"latent_channels":4,"block_out_channels":[4,8,8,8],"layers_per_block":1,
 "norm_num_groups":4,"act_fn":"silu","scaling_factor":0.476986,"spatial_compression_ratio":8,
 "temporal_compression_ratio":4,"mid_block_add_attention":true,
 "down_block_types":["HunyuanVideoDownBlock3D","HunyuanVideoDownBlock3D",
                     "HunyuanVideoDownBlock3D","HunyuanVideoDownBlock3D"],
 "up_block_types":["HunyuanVideoUpBlock3D","HunyuanVideoUpBlock3D",
                   "HunyuanVideoUpBlock3D","HunyuanVideoUpBlock3D"]})";

constexpr const char* kLlama = R"({"hidden_size":16,"intermediate_size":24,"num_attention_heads":4,
 "num_key_value_heads":2,"num_hidden_layers":3,"vocab_size":50})";

constexpr const char* kClip = R"({"hidden_size":8,"intermediate_size":16,"num_hidden_layers":2,
 "vocab_size":50,"max_position_embeddings":7})";

constexpr const char* kIndex = R"({"_class_name":"HunyuanVideoPipeline",
 "scheduler":["diffusers","FlowMatchEulerDiscreteScheduler"],
 "text_encoder":["transformers","LlamaModel"],"text_encoder_2":["transformers","CLIPTextModel"],
 "transformer":["diffusers","HunyuanVideoTransformer3DModel"],
 "vae":["diffusers","AutoencoderKLHunyuanVideo"]})";

class TinyModel : public ::testing::TestWithParam<Layout> {
 protected:
  TinyModel() {
    for (const auto& [file, text] : std::map<std::string, std::string>{
             {"model_index.json", kIndex},
             {"seeds.json", R"({"transformer":1,"vae":2,"text_encoder":3,"text_encoder_2":4})"},
             {"transformer/config.json", kTransformer},
             {"vae/config.json", kVae},
             {"text_encoder/config.json", kLlama},
             {"text_encoder_2/config.json", kClip},
             {"tokenizer/tokenizer.json", "{}"},
             {"tokenizer_2/vocab.json", "{}"},
             {"tokenizer_2/merges.txt", ""}}) {
      folder_.write("configs/" + file, text);
    }
    reel::testing::write_tiny_model(configs(), folder_.path() / "model", GetParam());
    model_ = find_model_folder(folder_.path() / "model");
  }

  std::filesystem::path configs() const { return folder_.path() / "configs"; }

  // The drawn tensors of a part under their published names.
  std::map<std::string, at::Tensor> drawn(const std::string& part, uint64_t seed) const {
    return reel::testing::draw(reel::testing::published_part_specs(configs(), part), seed);
  }

  static JsonReader config_of(const ModelPart& part) {
    return JsonReader::open(part.config.value(), JsonOwner::kModel);
  }

  reel::testing::TempFolder folder_;
  ModelFolder model_;
};

TEST_P(TinyModel, HasTheLayoutThatWasAskedFor) {
  EXPECT_EQ(model_.layout, GetParam());
}

TEST_P(TinyModel, LoadsTheSameTransformerFromBothLayouts) {
  const auto source = open_part(model_.transformer);
  const auto match = find_prefix(source, transformer_prefixes());
  const auto config = dit::read_config(config_of(model_.transformer));
  const auto rules = match.anchor == kOfficialTransformerAnchor ? std::vector<Rule>{}
                                                                : dit::diffusers_rules(config);
  const auto table = dit::weight_table(config);
  auto got = load_weights("transformer", source, recipes_for(table, rules, match.prefix), {},
                          at::kCPU, at::kFloat);
  auto want = reel::testing::draw_store(recipes_for(table, dit::diffusers_rules(config)), 1);
  EXPECT_EQ(got.left(), want.left());
  for (const auto& name : want.left()) EXPECT_TRUE(got.take(name).equal(want.take(name))) << name;
}

TEST_P(TinyModel, LoadsEitherHalfOfTheVaeFromBothLayouts) {
  const auto source = open_part(model_.vae);
  const auto prefix = find_prefix(source, vae_prefixes()).prefix;
  const auto config = vae::Config::read(config_of(model_.vae));
  const auto want = drawn("vae", 2);
  const auto check = [&](const WeightTable& table, const std::vector<std::string>& unused) {
    auto got = load_weights("vae", source, recipes_for(table, {}, prefix), {prefix, unused, {}},
                            at::kCPU, at::kFloat);
    EXPECT_EQ(got.left().size(), table.specs().size());
    for (const auto& name : got.left()) EXPECT_TRUE(got.take(name).equal(want.at(name))) << name;
  };
  check(vae::decoder_table(config), vae::names_unused_by_decoder());
  check(vae::encoder_table(config), vae::names_unused_by_encoder());
}

TEST_P(TinyModel, HoldsTheEncodersUnderThePublishedPrefixes) {
  const bool official = GetParam() == Layout::kOfficial;
  const auto check = [&](const TensorSource& source, const std::string& prefix,
                         const std::map<std::string, at::Tensor>& want, size_t num_extra) {
    EXPECT_EQ(source.infos().size(), want.size() + num_extra);
    for (const auto& [name, tensor] : want) {
      EXPECT_TRUE(source.tensor(prefix + name).equal(tensor)) << name;
    }
  };
  const auto llama = open_part(model_.text_encoder);
  const auto llama_prefix = find_prefix(llama, llama_prefixes()).prefix;
  EXPECT_EQ(llama_prefix, official ? "model." : "");
  check(llama, llama_prefix, drawn("text_encoder", 3), official ? 1 : 0);
  const auto clip = open_part(model_.text_encoder_2);
  const auto clip_prefix = find_prefix(clip, clip_text_prefixes()).prefix;
  EXPECT_EQ(clip_prefix, official ? "text_model." : "");
  check(clip, clip_prefix, drawn("text_encoder_2", 4), official ? 1 : 0);
}

TEST_P(TinyModel, IdentifiesItsFiles) {
  std::vector<std::string> names;
  for (const auto& file : identities(model_, open_part(model_.transformer))) {
    names.push_back(file.path);
  }
  if (GetParam() == Layout::kOfficial) {
    EXPECT_EQ(names, std::vector<std::string>{
                         "hunyuan-video-t2v-720p/transformers/mp_rank_00_model_states.pt"});
  } else {
    EXPECT_EQ(names, (std::vector<std::string>{
                         "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
                         "transformer/diffusion_pytorch_model-00002-of-00002.safetensors"}));
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, TinyModel,
                         ::testing::Values(Layout::kOfficial, Layout::kDiffusers),
                         [](const auto& layout) { return layout_name(layout.param); });

}  // namespace
}  // namespace reel::weights
