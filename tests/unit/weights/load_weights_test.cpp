#include "weights/load_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/gpu.h"
#include "tests/support/temp_folder.h"
#include "weights/name_prefix.h"
#include "weights/safetensors.h"

namespace reel::weights {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

using Tensors = std::map<std::string, at::Tensor>;

// A model of two fused layers and a final one, published in three parts a layer.
class LoadWeights : public ::testing::Test {
 protected:
  LoadWeights() {
    WeightTable table;
    for (int i = 0; i < 2; ++i) table.add_linear("blocks." + std::to_string(i) + ".qkv", 6, 3);
    table.add_linear("out", 4, 3);
    recipes_ = recipes_for(table,
                           {{"blocks.{}.qkv", {{"layers.{}.q"}, {"layers.{}.k"}, {"layers.{}.v"}}},
                            {"out", {{"final"}}, Assembly::kSwapHalves}},
                           "model.");
    for (const auto& recipe : recipes_) {
      for (const auto& part : recipe.parts) published_[part.name] = at::randn(part.shape);
    }
    published_["lm_head.weight"] = at::randn({9});
    published_["model.norm.weight"] = at::randn({3});
    published_["model.embeddings.position_ids"] = at::arange(3);
  }

  TensorSource source(const Tensors& tensors) {
    const auto path = folder_.path() / "model.safetensors";
    save_safetensors(path, tensors);
    return open_safetensors(path);
  }

  WeightStore load(const Tensors& tensors, at::ScalarType dtype = at::kFloat,
                   const LoadProgress& progress = nullptr) {
    return load_weights("llama", source(tensors), recipes_, unused_, at::kCPU, dtype, progress);
  }

  std::vector<Recipe> recipes_;
  Tensors published_;
  UnusedNames unused_{"model.", {"lm_head.", "norm."}, {"position_ids"}};
  reel::testing::TempFolder folder_;
};

TEST_F(LoadWeights, BuildsTheFusedTensors) {
  auto store = load(published_);
  EXPECT_TRUE(store.take("blocks.1.qkv.weight")
                  .equal(at::cat({published_["model.layers.1.q.weight"],
                                  published_["model.layers.1.k.weight"],
                                  published_["model.layers.1.v.weight"]})));
  const at::Tensor bias = published_["model.final.bias"];
  EXPECT_TRUE(store.take("out.bias").equal(at::cat({bias.slice(0, 2), bias.slice(0, 0, 2)})));
  EXPECT_EQ(store.left().size(), 4U);
}

TEST_F(LoadWeights, ConvertsToTheDtypeOfTheRun) {
  auto store = load(published_, at::kBFloat16);
  for (const auto& name : store.left()) EXPECT_EQ(store.take(name).scalar_type(), at::kBFloat16);
}

TEST_F(LoadWeights, SharesTheFileWhereItNeedNotCopy) {
  WeightTable table;
  table.add_linear("final", 4, 3);
  const auto file = source({{"final.weight", at::randn({4, 3})}, {"final.bias", at::randn({4})}});
  auto store = load_weights("x", file, recipes_for(table, {}), {}, at::kCPU, at::kFloat);
  EXPECT_EQ(store.take("final.weight").data_ptr(), file.tensor("final.weight").data_ptr());
}

TEST_F(LoadWeights, ReportsEverythingThatIsWrongAtOnce) {
  published_.erase("model.layers.0.q.weight");
  published_.erase("model.final.bias");
  published_["model.layers.1.k.bias"] = at::randn({3});
  published_["model.layers.1.v.bias"] = at::arange(2);
  published_["model.layers.2.q.bias"] = at::randn({2});
  EXPECT_THAT([&] { load(published_); },
              ThrowsMessage<WeightError>(AllOf(
                  HasSubstr("llama: 5 problems"),
                  HasSubstr("model.layers.0.q.weight: missing: want shape [2, 3]"),
                  HasSubstr("model.final.bias: missing: want shape [4]"),
                  HasSubstr("model.layers.1.k.bias: wrong shape: got [3], want [2]"),
                  HasSubstr("model.layers.1.v.bias: wrong dtype: got Long, want a float"),
                  HasSubstr("model.layers.2.q.bias: not a tensor of this model: got shape [2]"),
                  Not(HasSubstr("lm_head")))));
}

TEST_F(LoadWeights, ListsTheFirstOfManyProblemsAndCountsTheRest) {
  for (int i = 0; i < 40; ++i) published_["extra." + std::to_string(i)] = at::ones({1});
  EXPECT_THAT([&] { load(published_); },
              ThrowsMessage<WeightError>(
                  AllOf(HasSubstr("extra.0: not a tensor"),
                        HasSubstr("... and 30 more tensors that are not of this model"))));
}

TEST_F(LoadWeights, KnowsUnusedNamesWithAndWithoutThePrefix) {
  published_["norm.weight"] = at::ones({1});
  published_["model.lm_head.weight"] = at::ones({1});
  EXPECT_NO_THROW(load(published_));
  published_["model.model.norm.weight"] = at::ones({1});
  EXPECT_THAT(
      [&] { load(published_); },
      ThrowsMessage<WeightError>(HasSubstr("llama: model.model.norm.weight: not a tensor")));
}

TEST_F(LoadWeights, RefusesEightBitFloatsInOneLineAndOnlyIfTheyAreUsed) {
  published_["lm_head.weight"] = at::ones({4}).to(at::kFloat8_e4m3fn);
  EXPECT_NO_THROW(load(published_));
  published_["model.layers.0.q.weight"] = at::ones({2, 3}).to(at::kFloat8_e4m3fn);
  published_["model.layers.0.k.weight"] = at::ones({2, 3}).to(at::kFloat8_e5m2);
  published_.erase("model.final.bias");
  EXPECT_THAT([&] { load(published_); },
              ThrowsMessage<WeightError>(
                  AllOf(HasSubstr("llama: 8-bit floats are not supported: got 2 such tensors"),
                        Not(HasSubstr("\n")))));
}

TEST_F(LoadWeights, ShowsProgressInAtMostAHundredSteps) {
  WeightTable table;
  Tensors tensors;
  for (int i = 0; i < 300; ++i) {
    const std::string name = "norm" + std::to_string(i);
    table.add_norm(name, 8, false);
    tensors[name + ".weight"] = at::ones({8});
  }
  std::vector<uint64_t> calls;
  uint64_t total = 0;
  load_weights("x", source(tensors), recipes_for(table, {}), {}, at::kCPU, at::kFloat,
               [&](uint64_t done, uint64_t all) {
                 calls.push_back(done);
                 total = all;
               });
  EXPECT_EQ(total, 300U * 8 * 4);
  EXPECT_GE(calls.size(), 50U);
  EXPECT_LE(calls.size(), 100U);
  EXPECT_TRUE(std::is_sorted(calls.begin(), calls.end()));
  EXPECT_EQ(calls.back(), total);
}

// The targets of all recipes, filled with what no weight is.
std::map<std::string, at::Tensor> targets_of(const std::vector<Recipe>& recipes,
                                             const at::TensorOptions& options) {
  std::map<std::string, at::Tensor> targets;
  for (const auto& recipe : recipes) {
    targets[recipe.target.name] = at::full(recipe.target.shape, 1e3, options);
  }
  return targets;
}

TEST_F(LoadWeights, FillsTensorsThatAreThere) {
  published_["model.layers.0.q.bias"] = published_["model.layers.0.q.bias"].to(at::kBFloat16);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    auto want = load(published_, dtype);
    const auto targets = targets_of(recipes_, dtype);
    load_weights_into(targets, "llama", source(published_), recipes_, unused_);
    for (const auto& [name, target] : targets) EXPECT_TRUE(target.equal(want.take(name))) << name;
  }
}

// Ten megabytes to the tensor: more than one transfer, several threads, an odd number of rows.
class LoadLargeWeights : public LoadWeights {
 protected:
  LoadLargeWeights() {
    WeightTable table;
    for (int i = 0; i < 9; ++i) table.add_linear("wide." + std::to_string(i), 1998, 2503, false);
    recipes_ = recipes_for(table, {{"wide.{}", {{"a.{}", 1501}, {"b.{}"}}},
                                   {"wide.8", {{"swapped"}}, Assembly::kSwapHalves}});
    for (const auto& recipe : recipes_) {
      for (const auto& part : recipe.parts) tensors_[part.name] = at::randn(part.shape);
    }
    unused_ = {};
  }

  void expect_equal_to_plain(const std::map<std::string, at::Tensor>& targets,
                             at::ScalarType dtype) {
    const auto part = [&](const std::string& name) { return tensors_.at(name); };
    for (const auto& recipe : recipes_) {
      EXPECT_TRUE(
          targets.at(recipe.target.name).cpu().equal(assemble_one(recipe, part, at::kCPU, dtype)))
          << recipe.target.name;
    }
  }

  Tensors tensors_;
};

TEST_F(LoadLargeWeights, FillsThemWithSeveralThreads) {
  const auto file = source(tensors_);
  for (const auto dtype : {at::kFloat, at::kHalf}) {
    const auto targets = targets_of(recipes_, dtype);
    std::vector<uint64_t> calls;
    load_weights_into(targets, "x", file, recipes_, unused_,
                      [&](uint64_t done, uint64_t) { calls.push_back(done); });
    expect_equal_to_plain(targets, dtype);
    EXPECT_TRUE(std::is_sorted(calls.begin(), calls.end()));
    EXPECT_EQ(calls.back(), 9U * 1998 * 2503 * 4);
  }
}

TEST_F(LoadLargeWeights, FillsAGpuWithSeveralThreads) {
  REEL_REQUIRE_GPU();
  const auto file = source(tensors_);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    auto targets = targets_of(recipes_, at::TensorOptions(dtype).device(at::kCUDA));
    const std::string on_host = recipes_.front().target.name;  // as offloaded blocks are
    targets[on_host] = targets[on_host].cpu();
    load_weights_into(targets, "x", file, recipes_, unused_);
    expect_equal_to_plain(targets, dtype);
  }
}

TEST_F(LoadLargeWeights, StopsWhenTheCallerDoes) {
  const auto targets = targets_of(recipes_, at::kFloat);
  const auto interrupt = [](uint64_t, uint64_t) { throw std::runtime_error("enough"); };
  EXPECT_THAT(
      [&] { load_weights_into(targets, "x", source(tensors_), recipes_, unused_, interrupt); },
      ThrowsMessage<std::runtime_error>("enough"));
}

TEST_F(LoadLargeWeights, TellsOfAFileThatHasBecomeShorter) {
  const auto file = source(tensors_);
  std::filesystem::resize_file(folder_.path() / "model.safetensors", 40'000'000);
  EXPECT_THAT([&] { load_weights_into(targets_of(recipes_, at::kFloat), "x", file, recipes_, {}); },
              ThrowsMessage<WeightError>(HasSubstr("has become shorter while it was read")));
}

TEST_F(LoadWeights, CopiesPartsThatLieScatteredInTheirFile) {
  const auto all = source(published_);
  auto infos = all.infos();
  for (auto& info : infos) {  // as a .pt file may hold a transposed matrix
    if (info.name != "model.layers.0.k.weight") continue;
    info.strides = {1, 2};
  }
  const TensorSource scattered("x", infos, all.files());
  const auto targets = targets_of(recipes_, at::kFloat);
  load_weights_into(targets, "llama", scattered, recipes_, unused_);
  EXPECT_TRUE(targets.at("blocks.0.qkv.weight")
                  .equal(at::cat({published_["model.layers.0.q.weight"],
                                  published_["model.layers.0.k.weight"].view({3, 2}).t(),
                                  published_["model.layers.0.v.weight"]})));
}

TEST_F(LoadWeights, LoadsTheSameNumbersToAGpu) {
  REEL_REQUIRE_GPU();
  auto host = load(published_, at::kBFloat16);
  auto gpu = load_weights("llama", source(published_), recipes_, unused_, at::kCUDA, at::kBFloat16);
  for (const auto& name : host.left()) {
    const at::Tensor tensor = gpu.take(name);
    EXPECT_TRUE(tensor.is_cuda()) << name;
    EXPECT_TRUE(tensor.cpu().equal(host.take(name))) << name;
  }
}

TEST_F(LoadWeights, FindsThePrefixOfAFile) {
  const auto find = [&](const std::string& name, const NamePrefixes& known) {
    return find_prefix(source({{name, at::ones({1})}}), known).prefix;
  };
  const std::string llama = "layers.0.input_layernorm.weight";
  EXPECT_EQ(find(llama, llama_prefixes()), "");
  EXPECT_EQ(find("model." + llama, llama_prefixes()), "model.");
  EXPECT_EQ(find("language_model.model." + llama, llama_prefixes()), "language_model.model.");
  EXPECT_EQ(find("model.language_model." + llama, llama_prefixes()), "model.language_model.");
  const std::string clip = "embeddings.token_embedding.weight";
  EXPECT_EQ(find(clip, clip_text_prefixes()), "");
  EXPECT_EQ(find("text_model." + clip, clip_text_prefixes()), "text_model.");
  EXPECT_EQ(find("vae.post_quant_conv.weight", vae_prefixes()), "vae.");
  EXPECT_THAT([&] { find("vision_tower.layers.0.input_layernorm.weight", llama_prefixes()); },
              ThrowsMessage<WeightError>(
                  HasSubstr("got vision_tower.layers.0.input_layernorm.weight and others, want "
                            "layers.0.input_layernorm.weight")));
}

TEST_F(LoadWeights, TellsTheTransformersSpellingsApart) {
  const auto find = [&](const std::string& name) {
    return find_prefix(source({{name, at::ones({1})}}), transformer_prefixes());
  };
  EXPECT_EQ(find("img_in.proj.weight").anchor, kOfficialTransformerAnchor);
  EXPECT_EQ(find("x_embedder.proj.weight").anchor, kDiffusersTransformerAnchor);
  const auto wrapped = find("model.diffusion_model.img_in.proj.weight");
  EXPECT_EQ(wrapped.prefix, "model.diffusion_model.");
  EXPECT_EQ(wrapped.anchor, kOfficialTransformerAnchor);
  EXPECT_EQ(find("model.model.img_in.proj.weight").prefix, "model.model.");
}

}  // namespace
}  // namespace reel::weights
