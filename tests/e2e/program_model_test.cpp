// A model folder that is wrong: exit code 3 with the path, and no video.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/e2e/program_fixture.h"
#include "weights/safetensors.h"

namespace reel::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr const char* kVae = "vae/diffusion_pytorch_model.safetensors";
constexpr const char* kClip = "text_encoder_2/model.safetensors";

// Replaces a weight file by one with the tensors that `change` leaves.
template <typename Change>
void change_weights(const fs::path& file, const Change& change) {
  Tensors tensors;
  for (const auto& [name, tensor] : read_tensors(file)) tensors[name] = tensor.clone();
  change(tensors);
  fs::remove(file);
  weights::save_safetensors(file, tensors, {{"format", "pt"}});
}

void fill_with_nan(Tensors& tensors) {
  for (auto& [name, tensor] : tensors) tensor.fill_(std::nanf(""));
}

class ProgramModel : public ProgramTest {
 protected:
  void expect_model_error(const fs::path& broken, const std::vector<std::string>& texts) {
    expect_no_video(broken, 3, texts);
  }

  void expect_no_video(const fs::path& broken, int exit_code,
                       const std::vector<std::string>& texts) {
    fs::create_directory(folder_ / "out");
    const auto run =
        run_program(generate(folder_ / "out/clip.mp4", {"--model", broken, "--progress", "none"}));
    EXPECT_EQ(run.exit_code, exit_code) << run.err;
    for (const auto& text : texts) EXPECT_THAT(run.err, HasSubstr(text));
    EXPECT_FALSE(fs::exists(folder_ / "out/clip.mp4"));
    EXPECT_EQ(run.out, "");
  }
};

TEST_F(ProgramModel, NoFolderAtAll) {
  expect_model_error(folder_ / "nowhere", {folder_ / "nowhere"});
}

TEST_F(ProgramModel, AMissingFile) {
  const auto broken = model_to_break();
  fs::remove(broken / kVae);
  fs::remove(broken / "tokenizer/tokenizer.json");
  expect_model_error(broken, {broken / "vae", "tokenizer.json"});
  EXPECT_TRUE(fs::is_empty(folder_ / "out"));
}

TEST_F(ProgramModel, AnotherPipeline) {
  const auto broken = model_to_break();
  auto index = nlohmann::json::parse(read_bytes(broken / "model_index.json"));
  index["_class_name"] = "StableDiffusionPipeline";
  write_bytes(broken / "model_index.json", index.dump());
  expect_model_error(broken, {"model_index.json", "StableDiffusionPipeline"});
}

TEST_F(ProgramModel, AnotherClassOfTransformer) {
  const auto broken = model_to_break();
  auto config = nlohmann::json::parse(read_bytes(broken / "transformer/config.json"));
  config["_class_name"] = "WanTransformer3DModel";
  write_bytes(broken / "transformer/config.json", config.dump());
  expect_model_error(broken, {"transformer/config.json", "WanTransformer3DModel"});
}

TEST_F(ProgramModel, BrokenAndIncompleteConfigs) {
  const auto broken = model_to_break();
  write_bytes(broken / "vae/config.json", "{\"latent_channels\": 4,");
  expect_model_error(broken, {broken / "vae/config.json"});
}

TEST_F(ProgramModel, AConfigWithoutAKey) {
  const auto broken = model_to_break();
  auto config = nlohmann::json::parse(read_bytes(broken / "transformer/config.json"));
  config.erase("num_layers");
  write_bytes(broken / "transformer/config.json", config.dump());
  expect_model_error(broken, {broken / "transformer/config.json", "num_layers"});
}

TEST_F(ProgramModel, TruncatedWeights) {
  const auto broken = model_to_break();
  fs::resize_file(broken / kVae, fs::file_size(broken / kVae) - 100);
  expect_model_error(broken, {broken / kVae});
}

TEST_F(ProgramModel, AnEmptyWeightFile) {
  const auto broken = model_to_break();
  fs::resize_file(broken / kClip, 0);
  expect_model_error(broken, {broken / kClip});
}

TEST_F(ProgramModel, AllMissingAndIllShapedTensors) {
  const auto broken = model_to_break();
  change_weights(broken / kClip, [](Tensors& tensors) {
    tensors.erase("final_layer_norm.bias");
    tensors["embeddings.position_embedding.weight"] = at::zeros({76, 32});
    tensors["surprise"] = at::zeros({1});
  });
  expect_model_error(broken,
                     {"final_layer_norm.bias", "embeddings.position_embedding.weight", "surprise"});
}

TEST_F(ProgramModel, NotANumberInTheTransformer) {
  const auto broken = model_to_break();
  for (const char* shard : {"1", "2"}) {
    change_weights(broken / ("transformer/diffusion_pytorch_model-0000" + std::string(shard) +
                             "-of-00002.safetensors"),
                   fill_with_nan);
  }
  expect_no_video(broken, 6, {"finite"});
}

TEST_F(ProgramModel, NotANumberInTheVaeKeepsTheLatents) {
  const auto broken = model_to_break();
  change_weights(broken / kVae, fill_with_nan);
  const auto latents = folder_ / "out/clip.latents.safetensors";
  expect_no_video(broken, 6, {"latents are kept in " + latents.string()});
  ASSERT_TRUE(fs::exists(latents));
  EXPECT_TRUE(read_tensors(latents).at("latents").isfinite().all().item<bool>());
}

}  // namespace
}  // namespace reel::testing
