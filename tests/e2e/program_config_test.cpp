// --config and --set: what goes before what, and what is refused.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/e2e/program_fixture.h"

namespace reel::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class ProgramConfig : public ProgramTest {
 protected:
  // A plan of `flags` and nothing else, all of it from a file if they say so.
  static std::string plan(const Arguments& flags) {
    const auto run = run_program(Arguments{"generate", "--dry-run"} + flags);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return run.out;
  }

  std::string file_of(const json& config) const {
    return folder_.write("config.json", config.dump());
  }

  json small_request() const {
    return {{"format", 1},
            {"request",
             {{"prompt", "a blue star spins"},
              {"width", 64},
              {"height", 64},
              {"frames", 5},
              {"steps", 7},
              {"fps", "24000/1001"}}},
            {"model", {{"model", model().string()}}},
            {"attention", {{"attn", "xattn"}, {"tau", 0.8}, {"dense_steps", 2}}},
            {"output", {{"output", (folder_ / "clip.mp4").string()}, {"save_latents", true}}}};
  }
};

TEST_F(ProgramConfig, AFileStandsForTheFlags) {
  const auto text = plan({"--config", file_of(small_request())});
  EXPECT_THAT(text, HasSubstr("64 x 64, 5 frames"));
  EXPECT_THAT(text, HasSubstr("7 steps"));
  EXPECT_THAT(text, HasSubstr("tau 0.8"));
  EXPECT_THAT(text, HasSubstr("clip.latents.safetensors"));
}

TEST_F(ProgramConfig, TheCommandLineGoesBeforeSetAndSetBeforeTheFile) {
  const auto file = file_of(small_request());
  const auto text =
      plan({"--config", file, "--set", "request.steps=9", "--set", "attention.tau=0.7", "--set",
            "output.save_latents=false", "--steps", "8"});
  EXPECT_THAT(text, HasSubstr("8 steps"));
  EXPECT_THAT(text, HasSubstr("tau 0.7"));
  EXPECT_THAT(text, HasSubstr("64 x 64"));
}

TEST_F(ProgramConfig, AnAlternativeFromAboveSilencesTheOneBelow) {
  const auto file = file_of(small_request());
  const auto prompt = folder_.write("prompt.txt", "a red ball");
  const auto text = plan({"--config", file, "--prompt-file", prompt, "--video-size", "32", "48"});
  EXPECT_THAT(text, HasSubstr("48 x 32"));
}

TEST_F(ProgramConfig, WhatADryRunPrintsIsTheSameRequestAgain) {
  const auto first = plan({"--config", file_of(small_request()), "--seed", "7", "--crf", "20"});
  const size_t start = first.find("config     ");
  ASSERT_NE(start, std::string::npos);
  const auto again = folder_.write("again.json", first.substr(start + 11));
  EXPECT_EQ(plan({"--config", again}), first);
}

TEST_F(ProgramConfig, UnknownKeysAreRefusedWithTheNearestOne) {
  auto config = small_request();
  config["attention"]["tua"] = 0.9;
  config["requets"] = {{"width", 64}};
  expect_refused({"generate", "--config", file_of(config), "--set", "request.stesp=3"}, 2,
                 {"3 problems", "attention.tua; did you mean attention.tau?", "requets.width",
                  "did you mean request.width?", "--set: unknown key: got request.stesp",
                  "did you mean request.steps?"});
}

TEST_F(ProgramConfig, ValuesOfAnotherTypeAreRefused) {
  auto config = small_request();
  config["attention"]["tau"] = {0.9};
  config["output"]["save_latents"] = 3;
  config["encoder"]["lossless"] = "yes";
  config["device"] = 3;
  config["format"] = 2;
  expect_refused({"generate", "--config", file_of(config)}, 2,
                 {"attention.tau: wrong type: got [0.9]", "output.save_latents: wrong type: got 3",
                  "encoder.lossless: wrong type: got \"yes\", want true or false",
                  "/device: wrong type", "/format: unknown version"});
}

TEST_F(ProgramConfig, BrokenFilesAndSettingsAreRefused) {
  expect_refused({"generate", "--config", folder_ / "none.json"}, 2, {"none.json"});
  expect_refused({"generate", "--config", folder_.write("a.json", "{")}, 2, {"a.json"});
  expect_refused({"generate", "--config", folder_.write("b.json", "[1]")}, 2,
                 {"b.json: not a JSON object"});
  expect_refused({"generate", "--set", "request.steps"}, 2, {"--set: no value", "KEY=VALUE"});
  expect_refused({"generate", "--set", "request.steps=1", "--set", "request.steps=2"}, 2,
                 {"came more than once: got request.steps"});
  expect_refused({"generate", "--set", "jobs.shard=1/2"}, 2, {"not a flag of generate"});
  expect_refused({"generate", "--set", "request.steps=many"}, 2, {"--steps: not a whole number"});
}

}  // namespace
}  // namespace reel::testing
