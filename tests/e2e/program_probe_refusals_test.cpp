// `probe` names the tensor that is wrong and exits with 2.
#include <ATen/ATen.h>

#include "tests/e2e/program_fixture.h"
#include "weights/safetensors.h"

namespace reel::testing {
namespace {

Tensors right_inputs() {
  return {{"latents", at::zeros({1, 4, 2, 8, 8})},    {"timestep", at::full({1}, 500.0F)},
          {"guidance", at::full({1}, 6000.0F)},       {"text_states", at::zeros({1, 3, 64})},
          {"text_mask", at::ones({1, 3}, at::kLong)}, {"text_pooled", at::zeros({1, 32})}};
}

class ProgramProbeRefuses : public ProgramTest {
 protected:
  void expect_dit_refused(const Tensors& inputs, const std::vector<std::string>& texts) {
    const auto in = folder_ / "in.safetensors";
    const auto out = folder_ / "out.safetensors";
    weights::save_safetensors(in, inputs);
    expect_refused({"probe", "dit", "--model", model(), "--in", in, "--out", out}, 2, texts);
    EXPECT_EQ(folder_.names(), std::vector<std::string>{"in.safetensors"});
  }
};

TEST_F(ProgramProbeRefuses, AMissingTensor) {
  auto inputs = right_inputs();
  inputs.erase("text_pooled");
  expect_dit_refused(inputs, {"text_pooled: tensor is missing"});
}

TEST_F(ProgramProbeRefuses, MissingGuidance) {
  auto inputs = right_inputs();
  inputs.erase("guidance");
  expect_dit_refused(inputs, {"guidance: tensor is missing"});
}

TEST_F(ProgramProbeRefuses, AnExtraTensor) {
  auto inputs = right_inputs();
  inputs["noise"] = at::zeros({1});
  expect_dit_refused(inputs, {"noise: this stage has no such tensor"});
}

TEST_F(ProgramProbeRefuses, AllIllShapedTensorsAtOnce) {
  auto inputs = right_inputs();
  inputs["latents"] = at::zeros({1, 16, 2, 8, 8});
  inputs["text_states"] = at::zeros({1, 3, 63});
  inputs["text_mask"] = at::ones({1, 4}, at::kLong);
  expect_dit_refused(
      inputs, {"latents: wrong shape: got [1, 16, 2, 8, 8]",
               "text_states: wrong shape: got [1, 3, 63]", "text_mask: wrong shape: got [1, 4]"});
}

TEST_F(ProgramProbeRefuses, ABatchThatTheTensorsDoNotShare) {
  auto inputs = right_inputs();
  inputs["timestep"] = at::zeros({2});
  expect_dit_refused(inputs, {"timestep: wrong shape: got [2]"});
}

TEST_F(ProgramProbeRefuses, AGridThatNoPatchFits) {
  auto inputs = right_inputs();
  inputs["latents"] = at::zeros({1, 4, 2, 8, 7});
  expect_dit_refused(inputs, {"latents: the grid is no multiple of the patch"});
}

TEST_F(ProgramProbeRefuses, IntegersWhereFloatsBelongAndFloatsWhereIntegersBelong) {
  auto inputs = right_inputs();
  inputs["text_mask"] = at::ones({1, 3});
  inputs["timestep"] = at::ones({1}, at::kLong);
  expect_dit_refused(inputs, {"text_mask: wrong dtype", "timestep: wrong dtype"});
}

TEST_F(ProgramProbeRefuses, AMaskThatIsNoPrefix) {
  auto inputs = right_inputs();
  inputs["text_mask"] = at::arange(3).ne(1).to(at::kLong).unsqueeze(0);
  expect_dit_refused(inputs, {"text_mask: row 0: want ones, at least one, then zeros"});
  inputs["text_mask"] = at::zeros({1, 3}, at::kLong);
  expect_dit_refused(inputs, {"text_mask: row 0: want ones, at least one, then zeros"});
}

TEST_F(ProgramProbeRefuses, AFileThatIsNoSafetensors) {
  const auto in = folder_.write("in.safetensors", "not tensors at all");
  expect_refused(
      {"probe", "vae-decode", "--model", model(), "--in", in, "--out", folder_ / "out.safetensors"},
      2, {in});
  expect_refused({"probe", "vae-decode", "--model", model(), "--in", folder_ / "none", "--out",
                  folder_ / "out.safetensors"},
                 2, {folder_ / "none"});
}

TEST_F(ProgramProbeRefuses, TokenIdsThatTheModelDoesNotHave) {
  const auto in = folder_ / "in.safetensors";
  const auto out = folder_ / "out.safetensors";
  weights::save_safetensors(in, {{"input_ids", at::full({1, 77}, 1'000'000, at::kLong)}});
  expect_refused({"probe", "clip", "--model", model(), "--in", in, "--out", out}, 2, {"input_ids"});
  weights::save_safetensors(in, {{"input_ids", at::full({1, 9}, -1, at::kLong)},
                                 {"attention_mask", at::ones({1, 9}, at::kLong)}});
  expect_refused({"probe", "llama", "--model", model(), "--in", in, "--out", out}, 2,
                 {"input_ids"});
}

TEST_F(ProgramProbeRefuses, AnOutputThatExists) {
  const auto in = folder_ / "in.safetensors";
  weights::save_safetensors(in, right_inputs());
  const auto out = folder_.write("out.safetensors", "mine");
  expect_refused({"probe", "dit", "--model", model(), "--in", in, "--out", out}, 2, {out});
  EXPECT_EQ(read_bytes(out), "mine");
}

TEST_F(ProgramProbeRefuses, StagesAndFlagsThatDoNotGoTogether) {
  expect_refused({"probe", "vae_decode"}, 2, {"did you mean vae-decode?"});
  expect_refused({"probe"}, 2, {"stage is missing"});
  expect_refused({"probe", "dit"}, 2, {"--model: is missing", "--in: is missing", "--out: is"});
  expect_refused({"probe", "schedule", "--steps", "0"}, 2, {"--steps: out of range: got 0"});
}

TEST_F(ProgramProbeRefuses, NoFlagInSilence) {
  const auto run = run_program({"probe", "schedule", "--tau", "0.5"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.err, "sparsereel: --tau has no effect on stage schedule\n");
}

TEST_F(ProgramProbeRefuses, APromptThatIsNotUtf8AndSaysTheLine) {
  const auto in = folder_.write("prompts.txt",
                                "good\nb\xFF"
                                "d\n");
  const auto run = run_program(
      {"probe", "encode", "--model", model(), "--in", in, "--out", folder_ / "out.safetensors"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_NE(run.err.find("prompts.txt:2:"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace reel::testing
