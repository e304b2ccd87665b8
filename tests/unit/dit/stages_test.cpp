// Each stage against the published one, fed with the published output of the stage before it: the
// first of these tests to fail names the stage that is wrong.
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/silu.h>
#include <gtest/gtest.h>

#include "dit/block_context.h"
#include "dit/conditioning.h"
#include "dit/double_block.h"
#include "dit/final_layer.h"
#include "dit/patch_embed.h"
#include "dit/rope.h"
#include "dit/single_block.h"
#include "dit/timestep_embedding.h"
#include "dit/token_refiner.h"
#include "tests/support/compare.h"
#include "tests/unit/dit/golden_case.h"

namespace reel::dit::testing {
namespace {

using reel::testing::relative_error;

constexpr double kBound = 2e-6;

class Stages : public ::testing::Test {
 protected:
  GoldenCase golden = named_case("stages");
  Config config = golden.config;
  Inputs inputs = make_inputs(golden);
  weights::WeightStore store = draw_diffusers_store(config);
  weights::TensorSource want = golden_tensors("stages");
  attention::Attention attention;

  TokenGrid grid() const { return token_grid(config, inputs.latents.sizes().slice(1)); }

  // Image and text after `stage`, as one sequence that may be written to.
  at::Tensor tokens_after(const std::string& stage) const {
    return at::cat({want.tensor(stage + ".image"), want.tensor(stage + ".text")});
  }

  at::Tensor embedded() const {
    return at::cat({want.tensor("patch_embed"), want.tensor("refiner")});
  }

  BlockContext context() {
    return {at::silu(want.tensor("conditioning")), make_rope(config, grid(), at::kCPU),
            golden.text_lengths.at(0), attention.at_step(0)};
  }

  // Runs one block and compares what it makes of `tokens` with the published output.
  template <typename Block>
  void expect_block(const Block& block, at::Tensor tokens, const std::string& stage) {
    Workspace workspace(config, tokens.size(0), tokens.options());
    block.forward(tokens, context(), workspace, 0);
    EXPECT_LE(relative_error(tokens, tokens_after(stage)), kBound) << stage;
  }
};

TEST_F(Stages, SinusoidEqualsThePublishedOne) {
  const at::Tensor got = sinusoid(at::cat({inputs.timestep, inputs.guidance.value()}));
  EXPECT_LE(relative_error(got, want.tensor("sinusoid")), 1e-7);
}

TEST_F(Stages, ConditioningVectorEqualsThePublishedOne) {
  const Conditioning conditioning(config, store);
  const at::Tensor got = conditioning(inputs.timestep, inputs.guidance, inputs.text_pooled);
  EXPECT_LE(relative_error(got, want.tensor("conditioning")), kBound);
}

TEST_F(Stages, PatchEmbeddingEqualsThePublishedOne) {
  const PatchEmbed patch_embed(config, store);
  at::Tensor got = at::empty_like(want.tensor("patch_embed"));
  patch_embed.into(inputs.latents.select(0, 0), got);
  EXPECT_LE(relative_error(got, want.tensor("patch_embed")), kBound);
}

TEST_F(Stages, RefinerConditioningEqualsThePublishedOne) {
  const TokenRefiner refiner(config, store);
  const at::Tensor got = refiner.conditioning(inputs.text_states.at(0), inputs.timestep);
  EXPECT_LE(relative_error(got, want.tensor("refiner_conditioning")), kBound);
}

TEST_F(Stages, TokenRefinerEqualsThePublishedOne) {
  const TokenRefiner refiner(config, store);
  const at::Tensor got = refiner(inputs.text_states.at(0), inputs.timestep);
  EXPECT_LE(relative_error(got, want.tensor("refiner")), kBound);
}

TEST_F(Stages, RopeTablesEqualThePublishedOnes) {
  const Rope rope = make_rope(config, grid(), at::kCPU);
  EXPECT_LE(relative_error(rope.cos, want.tensor("rope_cos")), 1e-7);
  EXPECT_LE(relative_error(rope.sin, want.tensor("rope_sin")), 1e-7);
}

TEST_F(Stages, DoubleBlocksEqualThePublishedOnes) {
  expect_block(DoubleBlock(config, store, 0), embedded(), "double_block.0");
  expect_block(DoubleBlock(config, store, 1), tokens_after("double_block.0"), "double_block.1");
}

TEST_F(Stages, SingleBlocksEqualThePublishedOnes) {
  expect_block(SingleBlock(config, store, 0), tokens_after("double_block.1"), "single_block.0");
  expect_block(SingleBlock(config, store, 1), tokens_after("single_block.0"), "single_block.1");
  expect_block(SingleBlock(config, store, 2), tokens_after("single_block.1"), "single_block.2");
}

TEST_F(Stages, FinalLayerEqualsThePublishedOne) {
  const FinalLayer final_layer(store);
  const at::Tensor patches = final_layer(want.tensor("single_block.2.image").clone(),
                                         at::silu(want.tensor("conditioning")));
  const at::Tensor got = from_patches(config, patches, grid()).unsqueeze(0);
  EXPECT_LE(relative_error(got, want.tensor("velocity")), kBound);
}

}  // namespace
}  // namespace reel::dit::testing
