#include "vae/weight_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/vae/goldens.h"

namespace reel::vae {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

const Config kPublished{.latent_channels = 16,
                        .block_channels = {128, 256, 512, 512},
                        .layers_per_block = 2,
                        .num_groups = 32,
                        .mid_attention = true,
                        .scaling_factor = 0.476986};

// Parameters of the tensors whose names begin with `prefix`.
int64_t num_parameters(const weights::WeightTable& table, const std::string& prefix) {
  int64_t sum = 0;
  for (const auto& spec : table.specs()) {
    if (spec.name.starts_with(prefix)) sum += spec.num_elements();
  }
  return sum;
}

bool has(const weights::WeightTable& table, const std::string& name,
         const std::vector<int64_t>& shape) {
  return std::any_of(table.specs().begin(), table.specs().end(),
                     [&](const auto& spec) { return spec.name == name && spec.shape == shape; });
}

TEST(VaeWeightTable, AddsUpToThePublishedTotals) {
  const auto decoder = decoder_table(kPublished);
  const auto encoder = encoder_table(kPublished);
  EXPECT_EQ(num_parameters(encoder, "encoder."), 100'341'408);
  EXPECT_EQ(num_parameters(encoder, "quant_conv."), 1'056);
  EXPECT_EQ(num_parameters(decoder, "decoder."), 146'136'067);
  EXPECT_EQ(num_parameters(decoder, "post_quant_conv."), 272);
  EXPECT_EQ(decoder.num_parameters() + encoder.num_parameters(), 246'478'803);
  EXPECT_EQ(decoder.specs().size() + encoder.specs().size(), 248U);
}

TEST(VaeWeightTable, SpellsTheNamesOfTheFiles) {
  const auto decoder = decoder_table(kPublished);
  const auto encoder = encoder_table(kPublished);
  EXPECT_TRUE(has(decoder, "decoder.conv_in.conv.weight", {512, 16, 3, 3, 3}));
  EXPECT_TRUE(has(decoder, "decoder.up_blocks.1.upsamplers.0.conv.conv.bias", {512}));
  EXPECT_FALSE(has(decoder, "decoder.up_blocks.3.upsamplers.0.conv.conv.bias", {128}));
  EXPECT_TRUE(
      has(decoder, "decoder.up_blocks.2.resnets.0.conv_shortcut.conv.weight", {256, 512, 1, 1, 1}));
  EXPECT_TRUE(has(decoder, "decoder.mid_block.attentions.0.to_out.0.weight", {512, 512}));
  EXPECT_TRUE(has(decoder, "decoder.conv_norm_out.weight", {128}));
  EXPECT_TRUE(
      has(encoder, "encoder.down_blocks.2.downsamplers.0.conv.conv.weight", {512, 512, 3, 3, 3}));
  EXPECT_FALSE(has(encoder, "encoder.down_blocks.3.downsamplers.0.conv.conv.bias", {512}));
  EXPECT_TRUE(has(encoder, "quant_conv.weight", {32, 32, 1, 1, 1}));
}

TEST(VaeWeightTable, LeavesTheAttentionOutWhereTheConfigDoes) {
  Config config = kPublished;
  config.mid_attention = false;
  const int64_t attention = 2 * 512 + 4 * (512 * 512 + 512);
  EXPECT_EQ(decoder_table(config).num_parameters(),
            decoder_table(kPublished).num_parameters() - attention);
}

TEST(VaeWeightTable, EachHalfKnowsTheNamesOfTheOther) {
  const auto known = [](const std::string& name, const std::vector<std::string>& prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const auto& prefix) { return name.starts_with(prefix); });
  };
  const auto encoder = encoder_table(kPublished);
  const auto decoder = decoder_table(kPublished);
  for (const auto& spec : encoder.specs()) {
    EXPECT_TRUE(known(spec.name, names_unused_by_decoder())) << spec.name;
    EXPECT_FALSE(known(spec.name, names_unused_by_encoder())) << spec.name;
  }
  for (const auto& spec : decoder.specs()) {
    EXPECT_TRUE(known(spec.name, names_unused_by_encoder())) << spec.name;
    EXPECT_FALSE(known(spec.name, names_unused_by_decoder())) << spec.name;
  }
}

TEST(VaeWeightTable, TheModelTakesEveryTensor) {
  const Config config = testing::golden_config();
  auto store = testing::drawn_weights(config);
  const Decoder decoder(config, store);
  const Encoder encoder(config, store);
  EXPECT_THAT(store.left(), IsEmpty());
}

}  // namespace
}  // namespace reel::vae
