#include "weights/model_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/temp_folder.h"
#include "tests/support/torch_writer.h"
#include "weights/safetensors.h"

namespace reel::weights {
namespace {

namespace fs = std::filesystem;

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr const char* kIndex = R"({"_class_name":"HunyuanVideoPipeline",
 "_diffusers_version":"0.42.1",
 "scheduler":["diffusers","FlowMatchEulerDiscreteScheduler"],
 "text_encoder":["transformers","LlamaModel"],"tokenizer":["transformers","LlamaTokenizerFast"],
 "text_encoder_2":["transformers","CLIPTextModel"],"tokenizer_2":["transformers","CLIPTokenizer"],
 "transformer":["diffusers","HunyuanVideoTransformer3DModel"],
 "vae":["diffusers","AutoencoderKLHunyuanVideo"]})";

class ModelFolderTest : public ::testing::Test {
 protected:
  void write(const std::string& root, const std::vector<std::string>& files) {
    for (const auto& file : files) folder_.write(root + "/" + file, "");
  }

  fs::path write_diffusers(const std::string& root) {
    folder_.write(root + "/model_index.json", kIndex);
    write(root,
          {"transformer/config.json", "transformer/diffusion_pytorch_model.safetensors.index.json",
           "vae/config.json", "vae/diffusion_pytorch_model.safetensors", "text_encoder/config.json",
           "text_encoder/model.safetensors.index.json", "text_encoder_2/config.json",
           "text_encoder_2/model.safetensors", "tokenizer/tokenizer.json", "tokenizer_2/vocab.json",
           "tokenizer_2/merges.txt", "scheduler/scheduler_config.json"});
    return folder_.path() / root;
  }

  fs::path write_official(const std::string& root) {
    write(root,
          {"hunyuan-video-t2v-720p/transformers/mp_rank_00_model_states.pt",
           "hunyuan-video-t2v-720p/vae/config.json", "hunyuan-video-t2v-720p/vae/pytorch_model.pt",
           "text_encoder/config.json", "text_encoder/model.safetensors",
           "text_encoder/tokenizer.json", "text_encoder_2/config.json",
           "text_encoder_2/pytorch_model.bin", "text_encoder_2/model.safetensors",
           "text_encoder_2/vocab.json", "text_encoder_2/merges.txt"});
    return folder_.path() / root;
  }

  void expect_refusal(const fs::path& root, const std::string& message) {
    EXPECT_THAT([&] { find_model_folder(root); }, ThrowsMessage<WeightError>(HasSubstr(message)))
        << message;
  }

  reel::testing::TempFolder folder_;
};

TEST_F(ModelFolderTest, FindsTheDiffusersLayout) {
  const auto root = write_diffusers("HunyuanVideo");
  const auto model = find_model_folder(root / "");
  EXPECT_EQ(model.layout, Layout::kDiffusers);
  EXPECT_EQ(layout_name(model.layout), "diffusers");
  EXPECT_EQ(model.name, "HunyuanVideo");
  EXPECT_EQ(model.transformer.config, root / "transformer/config.json");
  EXPECT_EQ(model.transformer.weights.filename(), "diffusion_pytorch_model.safetensors.index.json");
  EXPECT_EQ(model.vae.weights, root / "vae/diffusion_pytorch_model.safetensors");
  EXPECT_EQ(model.text_encoder.weights, root / "text_encoder/model.safetensors.index.json");
  EXPECT_EQ(model.text_encoder_2.config, root / "text_encoder_2/config.json");
  EXPECT_EQ(model.tokenizer, root / "tokenizer");
  EXPECT_EQ(model.tokenizer_2, root / "tokenizer_2");
  EXPECT_EQ(model.scheduler, root / "scheduler/scheduler_config.json");
  EXPECT_EQ(model.defaults, std::nullopt);
  folder_.write("HunyuanVideo/sparsereel.json", "{}");
  EXPECT_EQ(find_model_folder(root).defaults, root / "sparsereel.json");
}

TEST_F(ModelFolderTest, FindsTheOfficialLayoutAlsoAboveItsFolder) {
  const auto root = write_official("HunyuanVideo/ckpts");
  for (const auto& given : {root, root.parent_path()}) {
    const auto model = find_model_folder(given);
    EXPECT_EQ(layout_name(model.layout), "official");
    EXPECT_EQ(model.name, given.filename());
    EXPECT_EQ(model.transformer.config, std::nullopt);
    EXPECT_EQ(model.transformer.weights.filename(), "mp_rank_00_model_states.pt");
    EXPECT_EQ(model.vae.weights, root / "hunyuan-video-t2v-720p/vae/pytorch_model.pt");
    EXPECT_EQ(model.text_encoder_2.weights.filename(), "model.safetensors");
    EXPECT_EQ(model.tokenizer, root / "text_encoder");
    EXPECT_EQ(model.tokenizer_2, root / "text_encoder_2");
  }
  write("HunyuanVideo/ckpts", {"hunyuan-video-t2v-720p/transformers/config.json"});
  EXPECT_TRUE(find_model_folder(root).transformer.config.has_value());
}

TEST_F(ModelFolderTest, ReportsAllMissingFilesAtOnce) {
  const auto root = write_diffusers("m");
  fs::remove(root / "vae/config.json");
  fs::remove(root / "transformer/diffusion_pytorch_model.safetensors.index.json");
  fs::remove_all(root / "tokenizer_2");
  EXPECT_THAT([&] { find_model_folder(root); },
              ThrowsMessage<WeightError>(
                  AllOf(HasSubstr("m: 4 problems"), HasSubstr("vae/config.json: missing"),
                        HasSubstr("transformer/diffusion_pytorch_model.safetensors or "
                                  "diffusion_pytorch_model.safetensors.index.json: missing"),
                        HasSubstr("tokenizer_2/vocab.json: missing"),
                        HasSubstr("tokenizer_2/merges.txt: missing"))));
}

TEST_F(ModelFolderTest, RefusesFoldersThatAreNoModel) {
  expect_refusal(folder_.path() / "absent", "absent: no such folder");
  expect_refusal(folder_.path(), "not a model folder: want model_index.json");
}

TEST_F(ModelFolderTest, NamesTheClassOfAnotherModel) {
  const auto root = write_diffusers("m");
  std::string index = kIndex;
  folder_.write("m/model_index.json", R"({"_class_name":"WanPipeline"})");
  expect_refusal(root, "another kind of model: got WanPipeline, want HunyuanVideoPipeline");
  index.replace(index.find("LlamaModel"), 10, "T5EncoderM");
  index.replace(index.find("\"vae\":["), 7, "\"vee\":[");
  folder_.write("m/model_index.json", index);
  expect_refusal(root, "text_encoder: another class: got T5EncoderM, want LlamaModel");
  expect_refusal(root, "vae: another class: got nothing, want AutoencoderKLHunyuanVideo");
}

TEST_F(ModelFolderTest, RefusesWeightsInTwoForms) {
  const auto root = write_diffusers("m");
  write("m", {"text_encoder/model.safetensors"});
  expect_refusal(root,
                 "model.safetensors.index.json: weights in two forms: remove this file or "
                 "model.safetensors");
}

TEST_F(ModelFolderTest, TakesPartsFromElsewhere) {
  const auto root = write_diffusers("m");
  fs::remove_all(root / "transformer");
  fs::remove_all(root / "tokenizer_2");
  write("other", {"dit.pt", "clip/config.json", "clip/model.safetensors", "clip/vocab.json",
                  "clip/merges.txt", "llama/config.json", "llama/model.safetensors"});
  PartPaths elsewhere;
  elsewhere.transformer = folder_.path() / "other/dit.pt";
  elsewhere.text_encoder = folder_.path() / "other/llama";
  elsewhere.text_encoder_2 = folder_.path() / "other/clip";
  const auto model = find_model_folder(root, elsewhere);
  EXPECT_EQ(model.transformer.weights, *elsewhere.transformer);
  EXPECT_EQ(model.transformer.config, std::nullopt);
  EXPECT_EQ(model.text_encoder.weights, folder_.path() / "other/llama/model.safetensors");
  EXPECT_EQ(model.tokenizer, root / "tokenizer");  // there is none beside that encoder
  EXPECT_EQ(model.tokenizer_2, folder_.path() / "other/clip");

  elsewhere.vae = folder_.path() / "absent/vae.safetensors";
  EXPECT_THAT([&] { find_model_folder(root, elsewhere); },
              ThrowsMessage<WeightError>(AllOf(HasSubstr("absent/vae.safetensors: missing"),
                                               HasSubstr("absent/config.json: missing"))));
}

TEST_F(ModelFolderTest, OpensEveryKindOfWeightFile) {
  const std::map<std::string, at::Tensor> tensors{{"x", at::ones({3})}};
  const auto path = [&](const char* name) { return folder_.path() / name; };
  save_safetensors(path("a.safetensors"), tensors);
  reel::testing::save_torch_archive(path("a.pt"), tensors);
  reel::testing::save_torch_archive(path("a.bin"), tensors);
  folder_.write("a.safetensors.index.json", R"({"weight_map":{"x":"a.safetensors"}})");
  for (const char* name : {"a.safetensors", "a.pt", "a.bin", "a.safetensors.index.json"}) {
    EXPECT_EQ(open_part({std::nullopt, path(name)}).tensor("x").sum().item<float>(), 3.0F) << name;
  }
  EXPECT_THAT([&] { open_part({std::nullopt, path("a.gguf")}); },
              ThrowsMessage<WeightError>(HasSubstr("unknown kind of weight file")));
}

TEST_F(ModelFolderTest, IdentifiesFilesByNamesInsideTheFolder) {
  ModelFolder model;
  model.root = folder_.path() / "m";
  fs::create_directories(model.root / "vae");
  for (const auto& path : {model.root / "vae/a.safetensors", folder_.path() / "b.safetensors"}) {
    save_safetensors(path, {{"x", at::ones({3})}});
  }
  const auto inside = identities(model, open_safetensors(model.root / "vae/a.safetensors"));
  EXPECT_EQ(inside.at(0).path, "vae/a.safetensors");
  EXPECT_EQ(inside.at(0).header_sha256.size(), 64U);
  const auto outside = identities(model, open_safetensors(folder_.path() / "b.safetensors"));
  EXPECT_EQ(outside.at(0).path, "b.safetensors");
  EXPECT_EQ(outside.at(0).bytes, inside.at(0).bytes);
}

}  // namespace
}  // namespace reel::weights
