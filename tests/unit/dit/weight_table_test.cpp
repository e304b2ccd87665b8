#include "dit/weight_table.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "core/sha256.h"
#include "tests/support/compare.h"
#include "tests/support/draw_weights.h"
#include "tests/unit/dit/golden_case.h"

namespace reel::dit::testing {
namespace {

using Shapes = std::map<std::string, std::vector<int64_t>>;

Config published_config() {
  return {.channels = 16,
          .num_heads = 24,
          .head_dim = 128,
          .num_double_blocks = 20,
          .num_single_blocks = 40,
          .num_refiner_blocks = 2,
          .mlp_width = 12288,
          .patch_size_t = 1,
          .patch_size = 2,
          .embeds_guidance = true,
          .text_dim = 4096,
          .pooled_dim = 768,
          .rope_theta = 256.0,
          .rope_axes = {16, 56, 56}};
}

Shapes diffusers_shapes(const Config& config) {
  Shapes shapes;
  const auto recipes = weights::recipes_for(weight_table(config), diffusers_rules(config));
  for (const auto& spec : reel::testing::published_specs(recipes)) {
    EXPECT_TRUE(shapes.emplace(spec.name, spec.shape).second) << spec.name << " occurs twice";
  }
  return shapes;
}

JsonReader names_json() {
  return JsonReader::open(reel::testing::data_file("dit/names.json"), JsonOwner::kModel);
}

TEST(DitWeightTable, HasTheOfficialCounts) {
  const auto table = weight_table(published_config());
  EXPECT_EQ(table.specs().size(), 856U);
  EXPECT_EQ(table.num_parameters(), 12'821'012'544);
}

TEST(DitWeightTable, HasTheOfficialShapes) {
  const auto table = weight_table(published_config());
  Shapes shapes;
  for (const auto& spec : table.specs()) shapes[spec.name] = spec.shape;
  using Shape = std::vector<int64_t>;
  EXPECT_EQ(shapes.at("img_in.proj.weight"), (Shape{3072, 16, 1, 2, 2}));
  EXPECT_EQ(shapes.at("double_blocks.19.txt_attn_qkv.weight"), (Shape{9216, 3072}));
  EXPECT_EQ(shapes.at("double_blocks.0.img_mod.linear.bias"), (Shape{18432}));
  EXPECT_EQ(shapes.at("single_blocks.39.linear1.weight"), (Shape{21504, 3072}));
  EXPECT_EQ(shapes.at("single_blocks.0.linear2.weight"), (Shape{3072, 15360}));
  EXPECT_EQ(shapes.at("single_blocks.0.q_norm.weight"), (Shape{128}));
  EXPECT_EQ(shapes.at("txt_in.individual_token_refiner.blocks.1.mlp.fc1.weight"),
            (Shape{12288, 3072}));
  EXPECT_EQ(shapes.at("final_layer.adaLN_modulation.1.weight"), (Shape{6144, 3072}));
}

TEST(DitWeightTable, SpellsThePublishedModelAsDiffusersDoes) {
  const JsonReader published = names_json().object("published");
  const Shapes shapes = diffusers_shapes(published_config());
  EXPECT_EQ(static_cast<int64_t>(shapes.size()), published.integer("num_tensors"));
  std::string lines;
  for (const auto& [name, shape] : shapes) {
    lines += name + " " + ::nlohmann::json(shape).dump() + "\n";
  }
  // Python writes "[1, 2]" where the JSON library writes "[1,2]".
  for (size_t at = 0; (at = lines.find(',', at)) != std::string::npos; at += 2) {
    lines.replace(at, 1, ", ");
  }
  EXPECT_EQ(sha256(lines), published.string("sha256"));
}

TEST(DitWeightTable, SpellsEveryTinyModelAsDiffusersDoes) {
  const JsonReader models = names_json().object("models");
  for (const auto& model : golden_models()) {
    Shapes want;
    const JsonReader listed = models.object(model);
    for (const auto& name : listed.keys()) want[name] = listed.integers(name);
    EXPECT_EQ(diffusers_shapes(golden_config(model)), want) << model;
  }
}

TEST(DitWeightTable, SwapsOnlyTheHalvesOfTheFinalModulation) {
  const Config config = published_config();
  for (const auto& recipe : weights::recipes_for(weight_table(config), diffusers_rules(config))) {
    const bool final_modulation = recipe.target.name.starts_with("final_layer.adaLN_modulation.1.");
    EXPECT_EQ(recipe.assembly == weights::Assembly::kSwapHalves, final_modulation)
        << recipe.target.name;
  }
}

}  // namespace
}  // namespace reel::dit::testing
