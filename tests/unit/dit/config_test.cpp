#include "dit/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "dit/weight_table.h"
#include "tests/support/errors.h"
#include "tests/unit/dit/golden_case.h"

namespace reel::dit::testing {
namespace {

using reel::testing::error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

// The published file.
nlohmann::json published() {
  return {{"_class_name", "HunyuanVideoTransformer3DModel"},
          {"_diffusers_version", "0.32.0.dev0"},
          {"attention_head_dim", 128},
          {"guidance_embeds", true},
          {"in_channels", 16},
          {"mlp_ratio", 4.0},
          {"num_attention_heads", 24},
          {"num_layers", 20},
          {"num_refiner_layers", 2},
          {"num_single_layers", 40},
          {"out_channels", 16},
          {"patch_size", 2},
          {"patch_size_t", 1},
          {"pooled_projection_dim", 768},
          {"qk_norm", "rms_norm"},
          {"rope_axes_dim", {16, 56, 56}},
          {"rope_theta", 256.0},
          {"text_embed_dim", 4096}};
}

Config read(const nlohmann::json& json) {
  return read_config(JsonReader::parse(json.dump(), "config.json", JsonOwner::kModel));
}

std::string error_with(const std::string& key, const nlohmann::json& value) {
  auto json = published();
  json[key] = value;
  return error_of<WeightError>([&] { read(json); });
}

TEST(DitConfig, ReadsThePublishedFile) {
  const Config config = read(published());
  EXPECT_EQ(config.width(), 3072);
  EXPECT_EQ(config.mlp_width, 12288);
  EXPECT_EQ(config.num_layers(), 60);
  EXPECT_EQ(config.patch_elements(), 64);
  EXPECT_EQ(config.rope_axes, (std::array<int64_t, 3>{16, 56, 56}));
  EXPECT_EQ(config.rope_theta, 256.0);
  EXPECT_TRUE(config.embeds_guidance);
}

TEST(DitConfig, ReadsNullOutChannelsAsInChannels) {
  auto json = published();
  json["out_channels"] = nullptr;
  EXPECT_EQ(read(json), read(published()));
}

TEST(DitConfig, TruncatesTheMlpWidthAsThePublishedClassDoes) {
  auto json = published();
  json["mlp_ratio"] = 2.7;
  EXPECT_EQ(read(json).mlp_width, 8294);
  EXPECT_EQ(read(json).refiner_mlp_width(), 12288);
}

TEST(DitConfig, RefusesOtherMembersOfTheFamily) {
  EXPECT_THAT(error_with("_class_name", "HunyuanVideoFramepackTransformer3DModel"),
              HasSubstr("config.json: /_class_name: not a text-to-video HunyuanVideo transformer: "
                        "got HunyuanVideoFramepackTransformer3DModel"));
  EXPECT_THAT(error_with("image_condition_type", "token_replace"),
              HasSubstr("image-to-video models are not supported: got token_replace"));
  EXPECT_THAT(error_with("qk_norm", "layer_norm"), HasSubstr("/qk_norm: not supported"));
  EXPECT_THAT(error_with("in_channels", 33),
              HasSubstr("/out_channels: a text-to-video model gives"));
  EXPECT_THAT(error_with("quantization_config", nlohmann::json::object()),
              HasSubstr("/quantization_config: unknown key"));
}

TEST(DitConfig, RefusesSizesThatDoNotFit) {
  EXPECT_THAT(error_with("rope_axes_dim", {16, 56, 58}),
              HasSubstr("/rope_axes_dim: sum is not attention_head_dim: got 130, want 128"));
  EXPECT_THAT(error_with("rope_axes_dim", {17, 55, 56}), HasSubstr("want three even numbers"));
  EXPECT_THAT(error_with("rope_axes_dim", {64, 64}), HasSubstr("want three even numbers"));
  EXPECT_THAT(error_with("num_single_layers", -1),
              HasSubstr("/num_single_layers: out of range: got -1"));
  EXPECT_THAT(error_with("patch_size", 0), HasSubstr("/patch_size: too small"));
  EXPECT_THAT(error_with("mlp_ratio", 0), HasSubstr("/mlp_ratio: out of range"));
  EXPECT_THAT(error_with("rope_theta", 0), HasSubstr("/rope_theta: not above 0"));
}

// Such a config would make a table of weights that no memory holds, or overflow.
TEST(DitConfig, RefusesSizesBeyondEveryModel) {
  EXPECT_THAT(error_with("num_layers", 1'000'000'000'000),
              HasSubstr("/num_layers: out of range: got 1000000000000, want 0 to 1000"));
  EXPECT_THAT(error_with("num_attention_heads", INT64_MAX),
              HasSubstr("/num_attention_heads: too large: got 9223372036854775807, want at most"));
  EXPECT_THAT(error_with("mlp_ratio", 1e300), HasSubstr("/mlp_ratio: out of range"));
  EXPECT_THAT(error_with("rope_axes_dim", {INT64_MAX - 1, INT64_MAX - 1, 132}),
              HasSubstr("want three even numbers from 2 to 1024"));
}

TEST(DitConfig, IsNotInferredFromShapesWithoutElements) {
  auto specs = weight_table(read(published())).specs();
  for (auto& spec : specs) {
    if (spec.name == "img_in.proj.weight") spec.shape = {3072, 0, 1, 2, int64_t{1} << 40};
  }
  EXPECT_THAT(error_of<WeightError>([&] { infer_config(specs, "x.pt"); }),
              HasSubstr("x.pt: channels: out of range: got 0, want 1 to 4096"));
}

TEST(DitConfig, NamesAMissingKey) {
  const nlohmann::json whole = published();
  for (const auto& item : whole.items()) {
    if (item.key() == "_diffusers_version" || item.key() == "out_channels") continue;
    nlohmann::json json = whole;
    json.erase(item.key());
    EXPECT_THAT(error_of<WeightError>([&] { read(json); }),
                HasSubstr("/" + item.key() + ": key is missing"));
  }
}

TEST(DitConfig, IsInferredFromTheOfficialTensors) {
  auto json = published();
  EXPECT_EQ(infer_config(weight_table(read(json)).specs(), "x.pt"), read(json));
  json.update({{"guidance_embeds", false},
               {"num_layers", 0},
               {"mlp_ratio", 3.5},
               {"num_attention_heads", 2},
               {"patch_size_t", 2},
               {"num_refiner_layers", 11}});
  EXPECT_EQ(infer_config(weight_table(read(json)).specs(), "x.pt"), read(json));
  EXPECT_EQ(infer_config(weight_table(golden_config("tiny_b")).specs(), "x.pt"),
            golden_config("tiny_b"));
}

TEST(DitConfig, IsNotInferredWhereTheRopeAxesWouldBeAGuess) {
  EXPECT_THAT(error_of<WeightError>(
                  [] { infer_config(weight_table(golden_config("head_dim_64")).specs(), "x.pt"); }),
              AllOf(HasSubstr("x.pt: RoPE axes are unknown for this head dim: got 64, want 128"),
                    HasSubstr("config.json")));
}

TEST(DitConfig, IsNotInferredFromAnotherModel) {
  auto specs = weight_table(read(published())).specs();
  const auto find = [&specs](const std::string& name) {
    return std::find_if(specs.begin(), specs.end(),
                        [&name](const auto& spec) { return spec.name == name; });
  };
  find("final_layer.linear.weight")->shape[0] = 128;
  EXPECT_THAT(error_of<WeightError>([&] { infer_config(specs, "x.pt"); }),
              HasSubstr("not a text-to-video model: final_layer.linear.weight: got 128"));
  specs.erase(find("vector_in.in_layer.weight"));
  EXPECT_THAT(error_of<WeightError>([&] { infer_config(specs, "x.pt"); }),
              HasSubstr("vector_in.in_layer.weight is missing"));
}

}  // namespace
}  // namespace reel::dit::testing
