#include "dit/transformer.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "dit/weight_table.h"
#include "tests/support/compare.h"
#include "tests/support/errors.h"
#include "tests/unit/dit/golden_case.h"

namespace reel::dit::testing {
namespace {

using reel::testing::cosine;
using reel::testing::error_of;
using reel::testing::relative_error;
using ::testing::HasSubstr;

at::Tensor run(const Transformer& transformer, const Inputs& inputs) {
  attention::Attention attention;
  return transformer.forward(inputs, attention.at_step(0));
}

Transformer build(const Config& config, at::ScalarType dtype = at::kFloat) {
  auto store = draw_diffusers_store(config, at::kCPU, dtype);
  return {config, store};
}

GoldenCase forward_case(const std::string& name) {
  for (const auto& golden : forward_cases()) {
    if (golden.name == name) return golden;
  }
  fail<ShapeError>("no golden case ", name);
}

Inputs sample(const Inputs& inputs, int64_t b) {
  Inputs one;
  one.latents = inputs.latents.narrow(0, b, 1);
  one.timestep = inputs.timestep.narrow(0, b, 1);
  if (inputs.guidance) one.guidance = inputs.guidance->narrow(0, b, 1);
  one.text_states = {inputs.text_states.at(static_cast<size_t>(b))};
  one.text_pooled = inputs.text_pooled.narrow(0, b, 1);
  return one;
}

TEST(Transformer, EqualsThePublishedImplementationInFp32) {
  const auto want = golden_tensors("velocity");
  const auto cases = forward_cases();
  ASSERT_EQ(cases.size(), want.infos().size());
  for (const auto& golden : cases) {
    const at::Tensor got = run(build(golden.config), make_inputs(golden));
    const double error = relative_error(got, want.tensor(golden.name));
    RecordProperty(golden.name, fmt::format("{:.1e}", error));
    EXPECT_LE(error, 1e-5) << golden.name;
    EXPECT_EQ(got.scalar_type(), at::kFloat);
  }
}

TEST(Transformer, GivesTheSameBitsFromTheOfficialLayout) {
  for (const char* name : {"b_some_tokens", "no_guidance", "no_single_blocks"}) {
    const GoldenCase golden = forward_case(name);
    const auto tensors = draw_official_tensors(golden.config);
    // An official file needs no rules: every tensor is its own recipe.
    auto official = weights::assemble(
        weights::recipes_for(weight_table(golden.config), {}),
        [&](const std::string& tensor) { return tensors.at(tensor); }, at::kCPU, at::kFloat);
    const Inputs inputs = make_inputs(golden);
    const at::Tensor got = run(Transformer(golden.config, official), inputs);
    EXPECT_TRUE(at::equal(got, run(build(golden.config), inputs))) << name;
  }
}

TEST(Transformer, TakesEveryTensorOfItsTable) {
  for (const auto& model : golden_models()) {
    const Config config = golden_config(model);
    auto store = draw_diffusers_store(config);
    const Transformer transformer(config, store);
    EXPECT_TRUE(store.left().empty()) << model << ": " << store.left().front();
    EXPECT_EQ(transformer.config(), config);
  }
}

TEST(Transformer, RunsEachSampleOfABatchAsIfAlone) {
  const GoldenCase golden = forward_case("b_batch");
  const Transformer transformer = build(golden.config);
  const Inputs inputs = make_inputs(golden);
  const at::Tensor both = run(transformer, inputs);
  for (int64_t b = 0; b < 2; ++b) {
    EXPECT_TRUE(at::equal(both.narrow(0, b, 1), run(transformer, sample(inputs, b)))) << b;
  }
}

TEST(Transformer, LeavesItsInputsAloneAndRepeatsItself) {
  const GoldenCase golden = forward_case("b_some_tokens");
  const Transformer transformer = build(golden.config);
  const Inputs inputs = make_inputs(golden);
  const at::Tensor latents = inputs.latents.clone();
  const at::Tensor first = run(transformer, inputs);
  EXPECT_TRUE(at::equal(first, run(transformer, inputs)));
  EXPECT_TRUE(at::equal(latents, inputs.latents));
}

TEST(Transformer, AcceptsStridedInputsOfOtherDtypes) {
  const GoldenCase golden = forward_case("b_some_tokens");
  const Transformer transformer = build(golden.config);
  const Inputs inputs = make_inputs(golden);
  Inputs strided = inputs;
  strided.latents = inputs.latents.transpose(3, 4).contiguous().transpose(3, 4).to(at::kDouble);
  strided.text_states = {inputs.text_states[0].t().contiguous().t().to(at::kDouble)};
  strided.text_pooled = inputs.text_pooled.to(at::kDouble);
  EXPECT_LE(relative_error(run(transformer, strided), run(transformer, inputs)), 1e-6);
}

TEST(Transformer, StaysCloseToFp32InBf16) {
  for (const char* name : {"a_some_tokens", "b_full_text", "head_dim_64", "no_guidance"}) {
    const GoldenCase golden = forward_case(name);
    const at::Tensor got = run(build(golden.config, at::kBFloat16), make_inputs(golden));
    EXPECT_EQ(got.scalar_type(), at::kFloat);
    const double similarity = cosine(got, golden_tensors("velocity").tensor(name));
    EXPECT_GE(similarity, 0.999) << name;
    EXPECT_LT(similarity, 1.0) << name << ": was not run in bf16";
  }
}

TEST(Transformer, RefusesInputsThatDoNotFitItsConfig) {
  const GoldenCase golden = forward_case("b_some_tokens");
  const Transformer transformer = build(golden.config);
  const Inputs good = make_inputs(golden);
  const auto message = [&](const Inputs& inputs) {
    return error_of<ShapeError>([&] { run(transformer, inputs); });
  };

  Inputs bad = good;
  bad.latents = good.latents.narrow(3, 0, 7);
  EXPECT_THAT(message(bad), HasSubstr("do not divide into patches: got [4, 5, 7, 12]"));
  bad = good;
  bad.latents = good.latents.narrow(1, 0, 3);
  EXPECT_THAT(message(bad), HasSubstr("latents: wrong shape: got [1, 3, 5, 8, 12]"));
  bad = good;
  bad.guidance.reset();
  EXPECT_THAT(message(bad), HasSubstr("guidance: missing but the model embeds it"));
  bad = good;
  bad.timestep = good.timestep.to(at::kDouble);
  EXPECT_THAT(message(bad), HasSubstr("timestep: wrong dtype"));
  bad = good;
  bad.text_states.push_back(good.text_states[0]);
  EXPECT_THAT(message(bad), HasSubstr("text_states: got 2 tensors, want 1"));
  bad = good;
  bad.text_states = {good.text_states[0].narrow(0, 0, 0)};
  EXPECT_THAT(message(bad), HasSubstr("text_states: got no token"));
  bad = good;
  bad.text_pooled = good.text_pooled.narrow(1, 0, 5);
  EXPECT_THAT(message(bad), HasSubstr("text_pooled: wrong shape"));
}

TEST(Transformer, RefusesGuidanceThatItDoesNotEmbed) {
  const GoldenCase golden = forward_case("no_guidance");
  Inputs inputs = make_inputs(golden);
  inputs.guidance = at::full({1}, 6000.0, at::kFloat);
  const Transformer transformer = build(golden.config);
  EXPECT_THAT(error_of<ShapeError>([&] { run(transformer, inputs); }),
              HasSubstr("guidance: given but the model embeds none"));
}

}  // namespace
}  // namespace reel::dit::testing
