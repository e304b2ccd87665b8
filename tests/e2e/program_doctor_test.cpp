// What `doctor` finds, on this machine and in broken model folders.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/device.h"
#include "tests/e2e/program_fixture.h"

namespace reel::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class ProgramDoctor : public ProgramTest {};

TEST_F(ProgramDoctor, DescribesTheMachineForPeopleAndAsJson) {
  const auto run = run_program({"doctor"});
  EXPECT_EQ(run.exit_code, 0) << run.out;
  EXPECT_THAT(run.out, AllOf(HasSubstr("usable cores"), HasSubstr("GPU "), HasSubstr("libx264"),
                             HasSubstr("FFmpeg "), HasSubstr("GB free here"),
                             HasSubstr("Nothing here keeps a run from working.")));
  const auto facts = json::parse(run_program({"doctor", "--json"}).out);
  EXPECT_EQ(facts["format"], 1);
  EXPECT_EQ(facts["cpu"]["usable_cores"], num_usable_cores());
  EXPECT_GT(facts["cpu"]["free_bytes"], 0);
  // the program does not start without AVX2
  EXPECT_THAT(facts["cpu"]["features"].get<std::vector<std::string>>(), Contains("avx2"));
  EXPECT_EQ(facts["gpu"]["devices"].empty(), !has_gpu());
  EXPECT_EQ(facts["ffmpeg"]["encoders"]["libx264"], true);
  EXPECT_FALSE(facts.contains("model"));
}

TEST_F(ProgramDoctor, FindsNothingWrongWithBothLayouts) {
  for (const auto layout : {weights::Layout::kDiffusers, weights::Layout::kOfficial}) {
    const auto run = run_program({"doctor", "--model", model(layout).string(), "--json"});
    EXPECT_EQ(run.exit_code, 0) << run.out;
    const auto parts = json::parse(run.out)["model"]["parts"];
    ASSERT_EQ(parts.size(), 5U);
    for (const auto& part : parts) EXPECT_EQ(part["problem"], "") << part;
    EXPECT_GT(parts[0]["parameters"], 0);
  }
}

TEST_F(ProgramDoctor, NamesMissingFilesAndWhatToDo) {
  const auto broken = model_to_break();
  std::filesystem::remove(broken / "vae/config.json");
  std::filesystem::remove(broken / "tokenizer_2/merges.txt");
  const auto run = run_program({"doctor", "--model", broken.string()});
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_THAT(run.out, AllOf(HasSubstr("problem: "), HasSubstr("vae/config.json: missing"),
                             HasSubstr("merges.txt"), HasSubstr("to do: docs/MODELS.md"),
                             Not(HasSubstr("Nothing here keeps"))));
  EXPECT_EQ(run_program({"doctor", "--model", (folder_ / "none").string()}).exit_code, 3);
}

TEST_F(ProgramDoctor, ExaminesTheOtherPartsWhereFilesAreMissing) {
  const auto broken = model_to_break();
  std::filesystem::remove(broken / "vae/diffusion_pytorch_model.safetensors");
  const auto file = broken / "text_encoder_2/config.json";
  auto config = json::parse(std::ifstream(file));
  config["hidden_size"] = 2 * config["hidden_size"].get<int>();
  std::ofstream(file) << config.dump();
  const auto run = run_program({"doctor", "--model", broken.string(), "--json"});
  EXPECT_EQ(run.exit_code, 3);
  const auto facts = json::parse(run.out);
  const auto parts = facts["model"]["parts"];
  ASSERT_EQ(parts.size(), 5U);
  EXPECT_EQ(parts[0]["problem"], "") << "the transformer is whole";
  EXPECT_GT(parts[0]["parameters"], 0);
  EXPECT_THAT(parts[1]["problem"].get<std::string>(), HasSubstr("missing"));
  EXPECT_THAT(parts[3]["problem"].get<std::string>(), HasSubstr("wrong shape"));
  EXPECT_THAT(facts["findings"].dump(), AllOf(HasSubstr("vae/diffusion_pytorch_model.safetensors"),
                                              HasSubstr("wrong shape")));
}

TEST_F(ProgramDoctor, FindsWeightsThatDoNotFitTheirConfig) {
  const auto broken = model_to_break();
  const auto file = broken / "transformer/config.json";
  auto config = json::parse(std::ifstream(file));
  config["num_single_layers"] = config["num_single_layers"].get<int>() + 1;
  std::ofstream(file) << config.dump();
  const auto run = run_program({"doctor", "--model", broken.string(), "--json"});
  EXPECT_EQ(run.exit_code, 3);
  const auto facts = json::parse(run.out);
  EXPECT_THAT(facts["model"]["parts"][0]["problem"].get<std::string>(), HasSubstr("missing"));
  EXPECT_EQ(facts["model"]["parts"][1]["problem"], "");
  EXPECT_EQ(facts["findings"].back()["kind"], "problem");
}

}  // namespace
}  // namespace reel::testing
