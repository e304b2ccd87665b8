// Llama and CLIP against transformers, with drawn weights (tools/goldens/encoders.py).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/support/compare.h"
#include "tests/support/draw_weights.h"
#include "tests/support/gpu.h"
#include "text_encoder/clip_text.h"
#include "text_encoder/llama.h"
#include "weights/safetensors.h"

namespace reel::text_encoder {
namespace {

constexpr double kBound = 1e-5;

JsonReader golden_config(const std::string& name) {
  return JsonReader::open(testing::data_file("encoders/" + name + ".json"), JsonOwner::kModel);
}

weights::TensorSource golden(const std::string& name) {
  return weights::open_safetensors(testing::data_file("encoders/" + name + ".safetensors"));
}

// Draws for every tensor of the published model, the unused ones included.
weights::WeightStore draw_llama(const LlamaConfig& config, uint64_t seed,
                                at::Device device = at::kCPU, at::ScalarType dtype = at::kFloat) {
  LlamaConfig whole = config;
  whole.num_layers += 2;  // so that the table covers every layer
  auto table = llama_table(whole);
  table.add_norm("norm", config.hidden_size, /*bias=*/false);
  auto tensors = testing::draw(table.specs(), seed);
  for (auto& [name, tensor] : tensors) tensor = tensor.to(device, dtype);
  return weights::WeightStore(std::move(tensors));
}

class LlamaGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(LlamaGolden, EqualsTransformers) {
  const std::string name = std::string("llama_") + GetParam();
  const auto config = LlamaConfig::read(golden_config(name));
  const auto want = golden(name);
  auto store = draw_llama(config, 11);
  const Llama llama(config, store);
  const at::Tensor mask = want.tensor("attention_mask");
  const at::Tensor counts = mask.sum(1);
  const std::vector<int64_t> lengths{counts[0].item<int64_t>(), counts[1].item<int64_t>()};

  const at::Tensor got = llama.forward(want.tensor("input_ids"), lengths);

  const at::Tensor valid = mask.unsqueeze(-1);
  EXPECT_LE(testing::relative_error(got * valid, want.tensor("hidden_states") * valid), kBound);
}

INSTANTIATE_TEST_SUITE_P(Models, LlamaGolden,
                         ::testing::Values("grouped", "head_dim", "ungrouped"));

TEST(Llama, EqualsTransformersOverTheLongestPrompt) {
  const auto config = LlamaConfig::read(golden_config("llama_grouped"));
  const auto want = golden("llama_grouped_long");
  auto store = draw_llama(config, 11);
  const Llama llama(config, store);
  const at::Tensor ids = want.tensor("input_ids");

  const at::Tensor got = llama.forward(ids, {ids.size(1)});

  EXPECT_LE(testing::relative_error(got, want.tensor("hidden_states")), kBound);
}

TEST_P(LlamaGolden, RunsInBf16OnAGpu) {
  REEL_REQUIRE_GPU();
  const std::string name = std::string("llama_") + GetParam();
  const auto config = LlamaConfig::read(golden_config(name));
  const auto want = golden(name);
  auto store = draw_llama(config, 11, at::kCUDA, at::kBFloat16);
  const Llama llama(config, store);

  const at::Tensor got = llama.forward(want.tensor("input_ids").narrow(0, 0, 1), {23});

  EXPECT_GE(testing::cosine(got[0], want.tensor("hidden_states")[0]), 0.999);
}

TEST(Llama, RefusesIdsOutsideTheVocabulary) {
  const auto config = LlamaConfig::read(golden_config("llama_grouped"));
  auto store = draw_llama(config, 11);
  const Llama llama(config, store);
  EXPECT_THROW(llama.forward(at::full({1, 3}, config.vocab_size, at::kLong), {3}), ConfigError);
}

TEST(Llama, TableHasThePublishedSizesOfLlama3) {
  LlamaConfig config;
  config.hidden_size = 4096;
  config.intermediate_size = 14336;
  config.num_layers = 32;
  config.num_heads = 32;
  config.num_key_value_heads = 8;
  config.head_dim = 128;
  config.vocab_size = 128320;
  EXPECT_EQ(llama_table(config).num_parameters(), 7'068'958'720);
}

class ClipGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(ClipGolden, EqualsTransformers) {
  const std::string name = std::string("clip_") + GetParam();
  const auto config = ClipTextConfig::read(golden_config(name));
  const auto want = golden(name);
  auto store = testing::draw_store(weights::recipes_for(clip_text_table(config), {}), 13);
  const ClipText clip(config, store);

  const auto got = clip.forward(want.tensor("input_ids"));

  EXPECT_LE(testing::relative_error(got.last_hidden_state, want.tensor("last_hidden_state")),
            kBound);
  EXPECT_LE(testing::relative_error(got.pooled, want.tensor("pooled")), kBound);
}

TEST_P(ClipGolden, RunsInBf16OnAGpu) {
  REEL_REQUIRE_GPU();
  const std::string name = std::string("clip_") + GetParam();
  const auto config = ClipTextConfig::read(golden_config(name));
  const auto want = golden(name);
  auto store = testing::draw_store(weights::recipes_for(clip_text_table(config), {}), 13, at::kCUDA,
                                   at::kBFloat16);
  const ClipText clip(config, store);

  const auto got = clip.forward(want.tensor("input_ids"));

  EXPECT_GE(testing::cosine(got.last_hidden_state, want.tensor("last_hidden_state")), 0.999);
  EXPECT_GE(testing::cosine(got.pooled, want.tensor("pooled")), 0.999);
}

INSTANTIATE_TEST_SUITE_P(Models, ClipGolden, ::testing::Values("legacy_eos", "eos"));

TEST(ClipText, TableHasThePublishedSizesOfClipL) {
  ClipTextConfig config;
  config.hidden_size = 768;
  config.intermediate_size = 3072;
  config.num_layers = 12;
  config.num_heads = 12;
  config.vocab_size = 49408;
  config.max_tokens = 77;
  EXPECT_EQ(clip_text_table(config).num_parameters(), 123'060'480);
}

}  // namespace
}  // namespace reel::text_encoder
