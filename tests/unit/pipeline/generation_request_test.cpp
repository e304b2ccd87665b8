// What a request refuses, and what it takes for granted.
#include "pipeline/generation_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"

namespace reel::pipeline {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const ModelFacts kModel = {.embeds_guidance = true, .num_layers = 5, .num_heads = 2};

RequestOptions options_with(const std::string& prompt) {
  RequestOptions options;
  options.prompt = prompt;
  options.compute.device = "cpu";
  return options;
}

struct Made {
  GenerationRequest request;
  std::vector<std::string> problems;
};

Made make(const RequestOptions& options, const ModelDefaults& defaults = {},
          const std::optional<ModelFacts>& facts = kModel) {
  Problems problems;
  auto request = make_request(options, defaults, facts, problems);
  return {std::move(request), problems.lines()};
}

TEST(GenerationRequest, HasTheDocumentedDefaults) {
  const auto [request, problems] = make(options_with("a cat"));
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(request.size, (ClipSize{.frames = 129, .height = 720, .width = 1280}));
  EXPECT_EQ(request.num_steps, 50);
  EXPECT_EQ(request.guidance, 6.0);
  EXPECT_EQ(request.cfg_scale, 1.0);
  EXPECT_EQ(request.flow_shift, 7.0);
  EXPECT_EQ(request.frame_rate, "24");
  EXPECT_THAT(request.seeds, ElementsAre(42));
  EXPECT_EQ(request.attention.mode, "xattn");
  EXPECT_EQ(request.attention.tau, 0.95);
  EXPECT_EQ(request.attention.dense_steps, "5");
  EXPECT_FALSE(request.attention.dense_steps_given);
  EXPECT_EQ(request.compute.dtype, at::kFloat);
  EXPECT_EQ(request.compute.vae_dtype, at::kFloat);
}

TEST(GenerationRequest, PutsFlagsBeforeTheModelsDefaultsBeforeTheBuiltInOnes) {
  RequestOptions options = options_with("a cat");
  options.width = 320;
  options.tau = 0.5;
  const ModelDefaults defaults = {.width = 256,
                                  .height = 256,
                                  .frames = 33,
                                  .steps = 20,
                                  .guidance = 2.5,
                                  .cfg_scale = 1.5,
                                  .flow_shift = 5.0,
                                  .frame_rate = "16",
                                  .attention_mode = "dense",
                                  .dense_steps = "30%",
                                  .tau = 0.9,
                                  .stride = 4,
                                  .block = 64};
  const auto [request, problems] = make(options, defaults);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(request.size, (ClipSize{.frames = 33, .height = 256, .width = 320}));
  EXPECT_EQ(request.num_steps, 20);
  EXPECT_EQ(request.guidance, 2.5);
  EXPECT_EQ(request.cfg_scale, 1.5);
  EXPECT_EQ(request.flow_shift, 5.0);
  EXPECT_EQ(request.frame_rate, "16");
  EXPECT_EQ(request.attention.mode, "dense");
  EXPECT_EQ(request.attention.tau, 0.5);
  EXPECT_EQ(request.attention.stride, 4);
  EXPECT_EQ(request.attention.block, 64);
  EXPECT_EQ(request.attention.dense_steps, "30%");
  EXPECT_FALSE(request.attention.dense_steps_given) << "the model's default may be clamped";
}

TEST(GenerationRequest, TellsAllProblemsAtOnce) {
  RequestOptions options;
  options.compute = {.device = "cpu", .dtype = "fp16", .threads = 0, .offload = {}};
  options.frames = 128;
  options.steps = 0;
  options.seed = "-1";
  options.cfg_scale = 0.5;
  options.flow_shift = 0;
  options.guidance = -1;
  options.vae_tiling = {.mode = "off", .tile = "official"};
  options.prompt_template = "film";
  EXPECT_THAT(
      make(options).problems,
      ElementsAre("--threads: out of range: got 0, want 1 to 1024",
                  "--dtype: fp16 is not computed on a CPU: got fp16, want fp32 or bf16",
                  "--prompt: is missing: want a text, or --prompt-file FILE",
                  "--template: unknown template: got film, want auto, video or image",
                  "--frames: not 4k + 1: got 128, want 125 or 129 (the VAE compresses time by 4)",
                  "--steps: out of range: got 0, want 1 to 10000",
                  "--guidance: out of range: got -1, want 0 to 1e+06",
                  "--cfg-scale: out of range: got 0.5, want 1 (off) or more",
                  "--flow-shift: out of range: got 0, want above 0",
                  "--seed: not a seed: got -1, want 0 to 18446744073709551615 or random",
                  "--vae-tile: has no effect with --vae-tiling off: got official"));
}

TEST(GenerationRequest, RefusesToOffloadWhereThereIsNoGpu) {
  RequestOptions options = options_with("a cat");
  options.compute.offload = "none";
  EXPECT_THAT(make(options).problems, IsEmpty());
  for (const std::string value : {"models", "blocks"}) {
    options.compute.offload = value;
    EXPECT_THAT(make(options).problems,
                ElementsAre("--offload: has no effect on a CPU, where the weights are in host "
                            "memory anyway: got " +
                            value + ", want none"));
  }
  options.compute.offload = "some";
  EXPECT_THAT(make(options).problems,
              ElementsAre("--offload: unknown value: got some, want auto, none, models or blocks"));
}

TEST(GenerationRequest, RefusesNumbersThatAreNotFinite) {
  RequestOptions options = options_with("");
  options.guidance = std::numeric_limits<double>::quiet_NaN();
  options.flow_shift = std::numeric_limits<double>::infinity();
  EXPECT_THAT(make(options).problems,
              ElementsAre(HasSubstr("--guidance: out of range: got nan"),
                          HasSubstr("--flow-shift: out of range: got inf")));
}

TEST(GenerationRequest, TakesAnyUtf8AndNamesTheFirstByteThatIsNot) {
  const std::string long_prompt(300'000, 'x');
  EXPECT_THAT(make(options_with(long_prompt)).problems, IsEmpty());
  EXPECT_EQ(make(options_with("\xf0\x9f\x90\xb1 \"$HOME\" `ls`\n")).request.prompt,
            "\xf0\x9f\x90\xb1 \"$HOME\" `ls`\n");
  EXPECT_THAT(make(options_with("")).problems, IsEmpty());
  EXPECT_THAT(make(options_with("caf\xe9")).problems,
              ElementsAre("--prompt: not UTF-8: got byte 0xe9 at offset 3, want UTF-8 text"));
}

TEST(GenerationRequest, TakesAFilesWholeContentWithoutTheNewlineAtItsEnd) {
  const testing::TempFolder folder;
  RequestOptions options = options_with("");
  options.prompt.reset();
  const auto prompt_of = [&](const std::string& content) {
    options.prompt_file = folder.write("prompt.txt", content);
    return make(options).request.prompt;
  };
  EXPECT_EQ(prompt_of("two\nlines \n"), "two\nlines ");
  EXPECT_EQ(prompt_of("dos\r\n"), "dos");
  EXPECT_EQ(prompt_of("\n\n"), "\n");
  options.prompt_file = folder.write("prompt.txt", "\n");
  EXPECT_THAT(make(options).problems, ElementsAre(HasSubstr("prompt.txt: is empty: want a text")));
  options.prompt_file = folder.path();
  EXPECT_THAT(make(options).problems, ElementsAre(HasSubstr("--prompt-file: cannot be read")));
  options.prompt_file = folder / "absent";
  EXPECT_THAT(make(options).problems, ElementsAre(HasSubstr("--prompt-file: cannot be read")));
  options.prompt = "both";
  EXPECT_THAT(make(options).problems,
              ElementsAre("--prompt-file: cannot go with --prompt: want one of them"));
}

TEST(GenerationRequest, RefusesANegativePromptThatNothingReads) {
  RequestOptions options = options_with("a cat");
  options.negative_prompt = "blur";
  EXPECT_THAT(make(options).problems,
              ElementsAre(HasSubstr("--negative-prompt: has no effect with --cfg-scale 1")));
  options.cfg_scale = 2;
  EXPECT_THAT(make(options).problems, IsEmpty());
  EXPECT_TRUE(make(options).request.uses_negative_prompt());
  options.negative_prompt.reset();
  EXPECT_THAT(make(options).problems, IsEmpty());
  EXPECT_EQ(make(options).request.negative_prompt, "");
}

TEST(GenerationRequest, RefusesGuidanceThatTheModelDoesNotEmbed) {
  RequestOptions options = options_with("a cat");
  const ModelFacts plain = {.embeds_guidance = false, .num_layers = 5, .num_heads = 2};
  EXPECT_THAT(make(options, {}, plain).problems, IsEmpty()) << "the default is no request";
  options.guidance = 6;
  EXPECT_THAT(make(options, {}, plain).problems,
              ElementsAre(HasSubstr("--guidance: this model has no guidance embedding: got 6")));
  EXPECT_THAT(make(options, {}, std::nullopt).problems, IsEmpty()) << "not known yet";
}

TEST(GenerationRequest, CountsSeedsUpFromTheFirst) {
  RequestOptions options = options_with("a cat");
  options.seed = "18446744073709551613";
  options.samples = 3;
  EXPECT_THAT(make(options).request.seeds,
              ElementsAre(18446744073709551613U, 18446744073709551614U, 18446744073709551615U));
  options.samples = 4;
  EXPECT_THAT(make(options).problems, ElementsAre(HasSubstr("--seed: too large for --samples 4")));
  options.seed = "18446744073709551616";
  EXPECT_THAT(make(options).problems, ElementsAre(HasSubstr("--seed: not a seed")));
  options.seed = "7";
  options.samples = 0;
  EXPECT_THAT(make(options).problems, ElementsAre(HasSubstr("--samples: out of range: got 0")));
}

TEST(GenerationRequest, DrawsAndKeepsARandomSeed) {
  RequestOptions options = options_with("a cat");
  options.seed = "random";
  const auto first = make(options).request;
  const auto second = make(options).request;
  ASSERT_EQ(first.seeds.size(), 1U);
  EXPECT_NE(first.seeds, second.seeds);
  EXPECT_EQ(first.to_json(first.seeds[0])["seed"], first.seeds[0]);
}

TEST(GenerationRequest, PicksTheImageTemplateForOneFrame) {
  RequestOptions options = options_with("a cat");
  EXPECT_EQ(make(options).request.prompt_template, PromptTemplate::kVideo);
  options.frames = 1;
  EXPECT_EQ(make(options).request.prompt_template, PromptTemplate::kImage);
  options.prompt_template = "video";
  EXPECT_EQ(make(options).request.prompt_template, PromptTemplate::kVideo);
}

TEST(GenerationRequest, WritesItselfAsJson) {
  RequestOptions options = options_with("a cat");
  options.frame_rate = "24000/1001";
  const auto json = make(options).request.to_json(9);
  EXPECT_EQ(json["prompt"], "a cat");
  EXPECT_EQ(json["seed"], 9);
  EXPECT_EQ(json["frames"], 129);
  EXPECT_EQ(json["fps"], "24000/1001");
  EXPECT_EQ(json["noise"], "cpu-fp32");
  options.frame_rate = "23.5";
  EXPECT_EQ(make(options).request.to_json(9)["fps"], 23.5);
}

TEST(VaeTilingChoice, TurnsOnWithATile) {
  Problems problems;
  const auto given = choose_vae_tiling({.mode = "auto", .tile = "diffusers"}, problems);
  ASSERT_TRUE(given);
  EXPECT_EQ(vae_tiling_text(*given), "256:192:16:12");
  // 5 latent frames: the diffusers preset cuts time, the automatic rule would not.
  EXPECT_TRUE(plan_vae_tiles(*given, {5, 8, 8}).tiled());
  const auto automatic = choose_vae_tiling({}, problems);
  EXPECT_FALSE(plan_vae_tiles(*automatic, {5, 8, 8}).tiled());
  EXPECT_TRUE(plan_vae_tiles(*automatic, {5, 8, 33}).tiled());
  const auto off = choose_vae_tiling({.mode = "off", .tile = {}}, problems);
  EXPECT_FALSE(plan_vae_tiles(*off, {50, 80, 33}).tiled());
  EXPECT_TRUE(problems.empty());
}

TEST(ModelDefaults, ReadsSparsereelJsonStrictly) {
  const testing::TempFolder folder;
  const auto read = [&](const std::string& text) {
    return read_model_defaults(folder.write("sparsereel.json", text));
  };
  const auto defaults =
      read(R"({"format":1,"width":256,"fps":12.5,"dense_steps":"10%","tau":0.8})");
  EXPECT_EQ(defaults.width, 256);
  EXPECT_EQ(defaults.frame_rate, "12.5");
  EXPECT_EQ(defaults.dense_steps, "10%");
  EXPECT_EQ(defaults.tau, 0.8);
  EXPECT_EQ(defaults.height, std::nullopt);
  EXPECT_THAT(testing::error_of<WeightError>([&] { read(R"({"format":1,"widht":256})"); }),
              HasSubstr("widht"));
  EXPECT_THAT(testing::error_of<WeightError>([&] { read(R"({"format":1,"width":"256"})"); }),
              HasSubstr("/width"));
  EXPECT_THAT(testing::error_of<WeightError>([&] { read(R"({"format":2})"); }),
              HasSubstr("/format"));
}

TEST(PlanAttention, RefusesDenseStepsThatWereGivenAndClampsTheDefault) {
  RequestOptions options = options_with("a cat");
  options.steps = 4;
  const auto clamped = make(options).request;
  Problems problems;
  const auto schedule = plan_attention(clamped, kModel, problems);
  ASSERT_TRUE(schedule);
  EXPECT_TRUE(schedule->is_dense(2));
  EXPECT_FALSE(schedule->is_dense(3));
  EXPECT_THAT(schedule->notes(), Contains(HasSubstr("using 3")));
  options.dense_steps = "4";
  EXPECT_THAT(
      testing::error_of<ConfigError>([&] { plan_attention(make(options).request, kModel); }),
      HasSubstr("--dense-steps: not below the number of steps: got 4, want 0 to 3"));
}

TEST(PlanAttention, ChecksFlagsEvenWhileTheModelIsUnknown) {
  RequestOptions options = options_with("a cat");
  options.tau = 1.5;
  options.stride = 5;
  options.attention.dense_layers = "57";  // may exist
  Problems problems;
  check_attention_flags(make(options).request, problems);
  EXPECT_THAT(problems.lines(), ElementsAre(HasSubstr("--tau: "), HasSubstr("--stride: ")));
}

}  // namespace
}  // namespace reel::pipeline
