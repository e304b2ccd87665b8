// `probe`: every stage through the command line, against the stored results of the published
// implementation and against each other.
#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/e2e/program_fixture.h"
#include "tests/support/compare.h"
#include "weights/safetensors.h"

namespace reel::testing {
namespace {

using nlohmann::json;

constexpr weights::Layout kBothLayouts[] = {weights::Layout::kDiffusers,
                                            weights::Layout::kOfficial};

json read_json(const std::filesystem::path& file) {
  return json::parse(read_bytes(file));
}

void expect_equal(const Tensors& got, const Tensors& want) {
  ASSERT_EQ(got.size(), want.size());
  for (const auto& [name, tensor] : want) {
    ASSERT_TRUE(got.contains(name)) << name;
    EXPECT_TRUE(at::equal(got.at(name), tensor)) << name;
  }
}

class ProgramProbe : public ProgramTest {
 protected:
  static std::vector<json> tokenize(const std::filesystem::path& in, const Arguments& more) {
    const auto run = run_program(Arguments{"probe", "tokenize", "--in", in} + more);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    std::vector<json> lines;
    std::istringstream text(run.out);
    for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
    return lines;
  }

  // What `dit` and `denoise` read of one prompt.
  Tensors conditioning(const std::string& prompt, const Arguments& more = {}) {
    const auto encoded = encode(prompt + "\n", more);
    const at::Tensor states = encoded.at("text_states_0").unsqueeze(0);
    return {{"text_states", states},
            {"text_mask", at::ones({1, states.size(1)}, at::kLong)},
            {"text_pooled", encoded.at("text_pooled_0").unsqueeze(0)}};
  }
};

TEST_F(ProgramProbe, ScheduleEqualsDiffusers) {
  const auto golden = read_json(data_file("schedulers/schedules.json"));
  for (const auto& want : golden.at("schedules")) {
    const auto run = run_program({"probe", "schedule", "--steps", want.at("num_steps").dump(),
                                  "--flow-shift", want.at("shift").dump()});
    ASSERT_EQ(run.exit_code, 0) << run.err;
    const auto got = json::parse(run.out);
    for (const char* key : {"sigmas", "timesteps"}) {
      const auto got_values = at::tensor(got.at(key).get<std::vector<double>>(), at::kDouble);
      const auto want_values = at::tensor(want.at(key).get<std::vector<double>>(), at::kDouble);
      EXPECT_LE(relative_error(got_values, want_values), 1e-6) << key << " of " << want.dump();
    }
  }
}

TEST_F(ProgramProbe, TokenizeEqualsTransformersInBothLayouts) {
  const auto golden = read_json(data_file("text_encoder/tokens.json"));
  std::string lines;
  std::vector<json> wanted;
  for (const auto& want : golden.at("prompts")) {
    const auto prompt = want.at("prompt").get<std::string>();
    if (want.at("template") != "video" || prompt.find('\n') != std::string::npos) continue;
    lines += prompt + "\n";
    wanted.push_back(want);
  }
  ASSERT_GE(wanted.size(), 5u);
  const auto in = folder_.write("prompts.txt", lines);
  for (const auto layout : kBothLayouts) {
    const auto got = tokenize(in, {"--model", model(layout)});
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].size(), 4u);
      for (const char* key : {"llama_ids", "llama_valid", "clip_ids", "clip_valid"}) {
        EXPECT_EQ(got[i].at(key), wanted[i].at(key)) << key << " of " << wanted[i].at("prompt");
      }
    }
  }
}

TEST_F(ProgramProbe, TokenizeTakesOnePromptALine) {
  EXPECT_EQ(tokenize(folder_.write("a.txt", "one\n\ntwo"), {"--model", model()}).size(), 3u);
  EXPECT_EQ(tokenize(folder_.write("b.txt", "one\r\n"), {"--model", model()}).size(), 1u);
  EXPECT_EQ(tokenize(folder_.write("c.txt", "\n"), {"--model", model()}).size(), 1u);
}

TEST_F(ProgramProbe, EncodeIsLlamaWithoutTheTemplatesPrefixAndClipsPooledState) {
  const std::string prompt = "A red ball rolls over a green meadow.\n";
  const auto encoded = encode(prompt);
  ASSERT_EQ(encoded.size(), 2u);
  const auto tokens = tokenize(folder_.write("in.txt", prompt), {"--model", model()}).at(0);
  const auto llama_ids = tokens.at("llama_ids").get<std::vector<int64_t>>();
  const auto clip_ids = tokens.at("clip_ids").get<std::vector<int64_t>>();
  const int64_t valid = tokens.at("llama_valid");
  const auto positions = static_cast<int64_t>(llama_ids.size());
  const at::Tensor mask = at::arange(positions).lt(valid).to(at::kLong).unsqueeze(0);

  const auto llama = probe("llama", {{"input_ids", at::tensor(llama_ids, at::kLong).unsqueeze(0)},
                                     {"attention_mask", mask}});
  const auto clip = probe("clip", {{"input_ids", at::tensor(clip_ids, at::kLong).unsqueeze(0)}});

  const at::Tensor hidden = llama.at("hidden_states");
  const at::Tensor states = encoded.at("text_states_0");
  EXPECT_EQ(hidden.sizes(), at::IntArrayRef({1, positions, 64}));
  EXPECT_EQ(clip.at("last_hidden_state").sizes(), at::IntArrayRef({1, 77, 32}));
  EXPECT_LE(relative_error(hidden[0].slice(0, valid - states.size(0), valid), states), 1e-5);
  EXPECT_LE(relative_error(clip.at("pooled")[0], encoded.at("text_pooled_0")), 1e-5);
  const int64_t end = tokens.at("clip_valid").get<int64_t>() - 1;
  EXPECT_TRUE(at::equal(clip.at("last_hidden_state")[0][end], clip.at("pooled")[0]));
}

TEST_F(ProgramProbe, EncodeNumbersItsLines) {
  const auto both = encode("a fox\n\n");
  EXPECT_EQ(both.size(), 4u);
  expect_equal(
      {{"text_states_0", both.at("text_states_1")}, {"text_pooled_0", both.at("text_pooled_1")}},
      encode("\n"));
}

TEST_F(ProgramProbe, DenoiseAndDecodeEqualDiffusersInBothLayouts) {
  const auto golden = read_tensors(data_file("pipeline/dense.safetensors"));
  const auto want = golden.at("frames").to(at::kDouble);
  std::map<weights::Layout, Tensors> denoised;
  std::map<weights::Layout, Tensors> decoded;
  for (const auto layout : kBothLayouts) {
    const Arguments from{"--model", model(layout)};
    auto inputs = conditioning("A red ball rolls over a green meadow.", from);
    inputs["noise"] = golden.at("noise");
    denoised[layout] =
        probe("denoise", inputs, from + Arguments{"--steps", "4", "--guidance", "6"});
    EXPECT_LE(relative_error(denoised[layout].at("latents"), golden.at("latents")), 5e-5);

    constexpr double kScalingFactor = 0.476986;
    decoded[layout] = probe("vae-decode", {{"latents", golden.at("latents") / kScalingFactor}},
                            from + Arguments{"--vae-tile", "diffusers"});
    const auto frames = decoded[layout].at("frames");
    ASSERT_EQ(frames.sizes(), at::IntArrayRef({1, 3, 17, 64, 96}));
    const auto bytes =
        ((frames[0].to(at::kDouble) / 2 + 0.5).clamp(0, 1) * 255).round().permute({1, 2, 3, 0});
    const double error = (bytes - want).square().mean().item<double>();
    EXPECT_LE(error, 255.0 * 255.0 / 1e6);  // 60 dB
  }
  expect_equal(denoised[kBothLayouts[0]], denoised[kBothLayouts[1]]);
  expect_equal(decoded[kBothLayouts[0]], decoded[kBothLayouts[1]]);
}

TEST_F(ProgramProbe, EncodersAreTheSameInBothLayouts) {
  const auto frames = at::rand({1, 3, 5, 64, 48}) * 2 - 1;
  const Arguments official{"--model", model(weights::Layout::kOfficial)};
  expect_equal(encode("a fox\n", official), encode("a fox\n"));
  const auto here = probe("vae-encode", {{"frames", frames}});
  expect_equal(probe("vae-encode", {{"frames", frames}}, official), here);
  for (const char* name : {"mean", "logvar"}) {
    EXPECT_EQ(here.at(name).sizes(), at::IntArrayRef({1, 4, 2, 8, 6})) << name;
    EXPECT_TRUE(here.at(name).isfinite().all().item<bool>()) << name;
  }
  EXPECT_EQ(probe("vae-decode", {{"latents", here.at("mean")}}).at("frames").sizes(),
            frames.sizes());
}

Tensors dit_inputs() {
  return {{"latents", at::randn({2, 4, 2, 8, 6})},
          {"timestep", at::tensor({1000.0F, 437.5F})},
          {"guidance", at::tensor({6000.0F, 1000.0F})},
          {"text_states", at::randn({2, 7, 64})},
          {"text_mask", at::arange(14).lt(10).to(at::kLong).view({2, 7})},
          {"text_pooled", at::randn({2, 32})}};
}

// Item `b` of a batch, its padding cut off.
Tensors one_of(const Tensors& batch, int64_t b) {
  Tensors one;
  for (const auto& [name, tensor] : batch) one[name] = tensor.narrow(0, b, 1).clone();
  const auto valid = one.at("text_mask").sum().item<int64_t>();
  for (const char* name : {"text_states", "text_mask"}) {
    one[name] = one.at(name).narrow(1, 0, valid).clone();
  }
  return one;
}

TEST_F(ProgramProbe, DitOfABatchEqualsItsItemsAlone) {
  at::manual_seed(1);
  const auto inputs = dit_inputs();
  const auto batch = probe("dit", inputs);
  EXPECT_EQ(batch.size(), 1u);
  ASSERT_EQ(batch.at("velocity").sizes(), inputs.at("latents").sizes());
  for (const int64_t b : {0, 1}) {
    const auto one = probe("dit", one_of(inputs, b));
    EXPECT_LE(relative_error(batch.at("velocity").narrow(0, b, 1), one.at("velocity")), 1e-5) << b;
  }
  expect_equal(probe("dit", inputs, {"--model", model(weights::Layout::kOfficial)}), batch);
}

TEST_F(ProgramProbe, DitIgnoresWhatPaddingHolds) {
  at::manual_seed(2);
  auto inputs = dit_inputs();
  const auto want = probe("dit", inputs);
  inputs["text_states"][1].narrow(0, 3, 4).fill_(std::nanf(""));
  expect_equal(probe("dit", inputs), want);
}

TEST_F(ProgramProbe, SparseDitReportsDensityAndKeepsTheVelocityAtTauOne) {
  at::manual_seed(3);
  const auto inputs = dit_inputs();
  const auto dense = probe("dit", inputs);
  const auto sparse = probe("dit", inputs, {"--attn", "xattn", "--tau", "1", "--block", "64"});
  EXPECT_LE(relative_error(sparse.at("velocity"), dense.at("velocity")), 1e-5);
  EXPECT_TRUE(at::equal(sparse.at("density"), at::ones({5, 2})));
}

TEST_F(ProgramProbe, InputsMayBeHalfPrecision) {
  at::manual_seed(4);
  auto inputs = dit_inputs();
  for (const char* name : {"latents", "text_states", "text_pooled"}) {
    inputs[name] = inputs.at(name).to(at::kHalf);
  }
  auto widened = inputs;
  for (auto& [name, tensor] : widened) {
    if (tensor.is_floating_point()) tensor = tensor.to(at::kFloat);
  }
  const auto got = probe("dit", inputs);
  EXPECT_EQ(got.at("velocity").scalar_type(), at::kFloat);
  expect_equal(got, probe("dit", widened));
}

}  // namespace
}  // namespace reel::testing
