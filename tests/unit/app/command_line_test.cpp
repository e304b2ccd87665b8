// The program as its users meet it, on a tiny model with drawn weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "media/frame_reader.h"
#include "media/video_facts.h"
#include "tests/support/compare.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tiny_model.h"
#include "tests/unit/app/run_program.h"
#include "weights/safetensors.h"

namespace reel::app {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::run_program;
using ::testing::UnorderedElementsAre;

TEST(CommandLine, HelpsAndTellsItsVersion) {
  EXPECT_THAT(run_program({"--help"}).results, AllOf(HasSubstr("generate"), HasSubstr("probe")));
  EXPECT_EQ(run_program({"--help"}).exit_code, 0);
  EXPECT_THAT(run_program({"generate", "--help"}).results, HasSubstr("--dense-steps N|N%"));
  EXPECT_THAT(run_program({"--version"}).results,
              AllOf(HasSubstr("LibTorch 2.11"), HasSubstr("FFmpeg"), HasSubstr("CUDA")));
  const auto bare = run_program({});
  EXPECT_EQ(bare.exit_code, 2);
  EXPECT_THAT(bare.messages, HasSubstr("usage: sparsereel COMMAND"));
}

TEST(CommandLine, RefusesCommandsItDoesNotHave) {
  EXPECT_EQ(run_program({"genrate"}).messages,
            "sparsereel: genrate: unknown command; did you mean generate?\n");
}

TEST(CommandLine, TellsTheFlagsProblemsBeforeTheModels) {
  const auto run = run_program({"generate", "-p", "x", "--model", "/nowhere", "--frames", "128",
                                "--tau", "2", "--crf", "99", "--fps", "0"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.messages,
            "sparsereel: request: 4 problems\n"
            "  --frames: not 4k + 1: got 128, want 125 or 129 (the VAE compresses time by 4)\n"
            "  --tau: out of range: got 2, want above 0 and at most 1 (1 keeps every block)\n"
            "  --fps: not a frame rate: got 0, want 24, 23.976 or 24000/1001\n"
            "  --crf: out of range: got 99, want 0 to 51\n");
  EXPECT_EQ(run_program({"generate", "-p", "x", "--model", "/nowhere"}).exit_code, 3);
}

TEST(CommandLine, RefusesWorkOnSeveralGpus) {
  const auto run = run_program(
      {"generate", "-p", "x", "--model", "/nowhere", "--ulysses", "2", "--ring-degree", "1"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.messages, "sparsereel: request: --ulysses: not in this version: got 2, want 1\n");
}

// One model for all tests below.
class TinyModel : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    model_ = new testing::TempFolder();
    testing::write_tiny_model(testing::data_file("tiny_model"), model_->path(),
                              weights::Layout::kDiffusers);
  }
  static void TearDownTestSuite() {
    delete model_;
    model_ = nullptr;
  }

  std::vector<std::string> words(const std::vector<std::string>& more) const {
    std::vector<std::string> all = {"generate", "--model",  model_->path(), "-p",      "a cat",
                                    "-W",       "48",       "-H",           "32",      "--frames",
                                    "5",        "--device", "cpu",          "--steps", "2"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  static testing::TempFolder* model_;
  testing::TempFolder out_;
};

testing::TempFolder* TinyModel::model_ = nullptr;

TEST_F(TinyModel, BecomesAVideoThatCarriesItsRequest) {
  const std::string video = out_ / "clip.mp4";
  const auto run = run_program(words({"-o", video, "--progress", "plain"}));
  ASSERT_EQ(run.exit_code, 0) << run.messages;
  EXPECT_EQ(run.results, video + "\n");
  EXPECT_THAT(run.messages, HasSubstr("step 2 of 2"));
  EXPECT_THAT(out_.names(), ElementsAre("clip.mp4"));
  const auto facts = media::read_video_facts(video);
  EXPECT_EQ(facts.num_frames, 5);
  EXPECT_EQ(facts.width, 48);
  const json metadata = json::parse(facts.comment);
  EXPECT_EQ(metadata["request"]["prompt"], "a cat");
  EXPECT_EQ(metadata["request"]["seed"], 42);
  EXPECT_EQ(metadata["program"]["name"], "sparsereel");
  EXPECT_EQ(metadata["attention"]["mode"], "xattn");
  EXPECT_EQ(metadata["noise_sha256"].get<std::string>().size(), 64U);

  const auto shown = run_program({"inspect", video, "--json"});
  EXPECT_EQ(json::parse(shown.results)["metadata"], metadata);
  const auto again = run_program(words({"-o", video}));
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.messages, HasSubstr("is there already"));
}

TEST_F(TinyModel, GivesEachSampleItsSeedAndFiles) {
  const auto run =
      run_program(words({"--output-dir", out_ / "runs", "-o", "{prompt}-{index}.mp4", "--samples",
                         "2", "-s", "7", "--save-latents", "--density-json", out_ / "d{seed}.json",
                         "--perf-json", out_ / "p{seed}.json", "--progress", "json"}));
  ASSERT_EQ(run.exit_code, 0) << run.messages;
  EXPECT_THAT(out_.names(),
              ElementsAre("d7.json", "d8.json", "p7.json", "p8.json", "runs",
                          "runs/a cat-0.latents.safetensors", "runs/a cat-0.mp4",
                          "runs/a cat-1.latents.safetensors", "runs/a cat-1.mp4", "runs/meta",
                          "runs/meta/a cat-0.json", "runs/meta/a cat-1.json"));
  const auto sidecar = json::parse(testing::read_bytes(out_ / "runs/meta/a cat-1.json"));
  EXPECT_EQ(sidecar["request"]["seed"], 8);
  EXPECT_EQ(json::parse(media::read_video_facts(out_ / "runs/a cat-1.mp4").comment), sidecar);
  const auto latents = weights::open_safetensors(out_ / "runs/a cat-0.latents.safetensors");
  EXPECT_EQ(latents.tensor("latents").sizes(), (std::vector<int64_t>{1, 4, 2, 4, 6}));
  EXPECT_EQ(json::parse(testing::read_bytes(out_ / "d7.json"))["density"].size(), 2U);
  EXPECT_EQ(json::parse(testing::read_bytes(out_ / "p8.json"))["seed"], 8);
  std::istringstream events(run.results);
  for (std::string line; std::getline(events, line);) {
    EXPECT_EQ(json::parse(line)["format"], 1) << line;
  }
}

TEST_F(TinyModel, WritesTheSameFramesAsPicturesAndVideo) {
  const auto run = run_program(words({"-o", out_ / "c.mp4", "--frames-png", out_ / "png",
                                      "--lossless", "--pix-fmt", "rgb24", "-q"}));
  ASSERT_EQ(run.exit_code, 0) << run.messages;
  EXPECT_THAT(run.messages, IsEmpty());
  const auto video = media::read_frames(out_ / "c.mp4");
  EXPECT_TRUE(at::equal(media::read_frames(out_ / "png/000004.png")[0], video[4]));
}

TEST_F(TinyModel, PrintsItsPlanWithoutWritingAnything) {
  const auto run = run_program(words({"--output-dir", out_ / "runs", "--dry-run", "--tau", "0.8"}));
  ASSERT_EQ(run.exit_code, 0) << run.messages;
  EXPECT_THAT(run.results,
              AllOf(HasSubstr("48 x 32, 5 frames"), HasSubstr("2 x 4 x 6 (T, h, w)"),
                    HasSubstr("12 of the image"), HasSubstr("tau 0.8"), HasSubstr("_s42.mp4"),
                    HasSubstr("meta/"), HasSubstr("text encoder 2")));
  EXPECT_THAT(out_.names(), IsEmpty());
}

TEST_F(TinyModel, WarnsThatVideoSizeTakesTheHeightFirst) {
  const auto run =
      run_program({"generate", "--model", model_->path(), "-p", "x", "--dry-run", "--video-size",
                   "32", "64", "--device", "cpu", "-o", out_ / "x.mp4"});
  ASSERT_EQ(run.exit_code, 0) << run.messages;
  EXPECT_THAT(run.results, HasSubstr("64 x 32, 129 frames"));
  EXPECT_THAT(run.messages, HasSubstr("--video-size takes the height first: 64 wide, 32 high"));
}

TEST_F(TinyModel, KeepsTheLatentsOfAFlatVideoThatItRefuses) {
  // A decoder of zeros makes every pixel grey.
  const testing::TempFolder vae;
  const std::string weights_name = "diffusion_pytorch_model.safetensors";
  const auto source = weights::open_safetensors(*model_ / ("vae/" + weights_name));
  std::map<std::string, at::Tensor> zeros;
  for (const auto& info : source.infos()) zeros[info.name] = at::zeros(info.shape);
  weights::save_safetensors(vae / weights_name, zeros);
  std::filesystem::copy(*model_ / "vae/config.json", vae / "config.json");

  const auto run = run_program(words({"-o", out_ / "c.mp4", "--vae", vae.path(), "-q"}));
  EXPECT_EQ(run.exit_code, 6) << run.messages;
  EXPECT_THAT(run.results, IsEmpty());
  const std::string latents = out_ / "c.latents.safetensors";
  EXPECT_THAT(run.messages, HasSubstr("latents are kept in " + latents));
  EXPECT_THAT(out_.names(), ElementsAre("c.latents.safetensors"));
  EXPECT_EQ(weights::open_safetensors(latents).tensor("latents").dim(), 5);

  // Another run does not replace them unasked; one that decodes them leaves them too.
  const auto again = run_program(words({"-o", out_ / "c.mp4", "--vae", vae.path(), "-q"}));
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.messages, HasSubstr(latents + ": latents of an earlier run: want --resume"));
  EXPECT_EQ(
      run_program(words({"-o", out_ / "c.mp4", "--resume", "--vae", vae.path(), "-q"})).exit_code,
      6);
  EXPECT_THAT(out_.names(), ElementsAre("c.latents.safetensors"));
}

TEST_F(TinyModel, StartsFromGivenNoise) {
  const auto noise = out_ / "noise.safetensors";
  weights::save_safetensors(noise, {{"noise", at::ones({1, 4, 2, 4, 6})}});
  const auto with = [&](const std::string& name, const std::string& seed) {
    const auto run =
        run_program(words({"-o", out_ / name, "--latents", noise, "-s", seed, "--lossless", "-q"}));
    EXPECT_EQ(run.exit_code, 0) << run.messages;
    return json::parse(media::read_video_facts(out_ / name).comment);
  };
  EXPECT_EQ(with("a.mp4", "1")["latents_sha256"], with("b.mp4", "2")["latents_sha256"]);
}

TEST_F(TinyModel, AnswersProbes) {
  const auto in = out_.write("prompts.txt", "a cat\n");
  const auto out = out_ / "text.safetensors";
  const std::vector<std::string> encode = {"probe", "encode", "--model", model_->path(), "--device",
                                           "cpu",   "--in",   in,        "--out",        out};
  auto run = run_program(encode);
  ASSERT_EQ(run.exit_code, 0) << run.messages;
  EXPECT_NE(weights::open_safetensors(out).find("text_states_0"), nullptr);
  run = run_program(encode);
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.messages, HasSubstr("is there already"));
  auto words = encode;
  words.insert(words.end(), {"--overwrite", "--tau", "0.5"});
  run = run_program(words);
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.messages, "sparsereel: --tau has no effect on stage encode\n");
}

TEST(Probe, TellsWhatIsMissing) {
  EXPECT_THAT(run_program({"probe"}).messages, HasSubstr("stage is missing: want one of tokenize"));
  EXPECT_THAT(run_program({"probe", "dti"}).messages, HasSubstr("did you mean dit?"));
  const auto run = run_program({"probe", "dit", "--dtype", "fp16", "--device", "cpu"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.messages,
            "sparsereel: probe dit: 4 problems\n"
            "  --model: is missing: stage dit needs it\n"
            "  --in: is missing: stage dit needs it\n"
            "  --out: is missing: stage dit needs it\n"
            "  --dtype: fp16 is not computed on a CPU: got fp16, want fp32 or bf16\n");
}

TEST_F(TinyModel, ShowsItselfToInspect) {
  const auto run = run_program({"inspect", model_->path(), "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.messages;
  const json found = json::parse(run.results);
  EXPECT_EQ(found["layout"], "diffusers");
  EXPECT_EQ(found["parts"]["transformer"]["config"]["num_layers"], 2);
  EXPECT_GT(found["parts"]["vae"]["num_parameters"], 1000);
}

TEST(Inspect, ShowsWeightFilesAndDensityFiles) {
  const testing::TempFolder folder;
  const auto file = folder / "a.safetensors";
  weights::save_safetensors(file, {{"x", at::zeros({2, 3})}, {"y", at::zeros({4}, at::kHalf)}});
  const auto weights = run_program({"inspect", file});
  EXPECT_THAT(weights.results, AllOf(HasSubstr("fp32       [2, 3]"), HasSubstr("fp16       [4]"),
                                     HasSubstr("2 tensors, 10 parameters")));
  const auto density =
      folder.write("d.json", R"({"format":1,"mean":0.5,"mean_sparse":0.25,"by_step":[1,0.25],)"
                             R"("density":[[[1]],[[0.25]]]})");
  EXPECT_THAT(run_program({"inspect", density}).results,
              AllOf(HasSubstr("2 steps, 1 layers, mean density 0.5000"), HasSubstr("step   2")));
  EXPECT_EQ(run_program({"inspect", folder.write("x.json", "{}")}).exit_code, 2);
  EXPECT_EQ(run_program({"inspect", folder / "absent"}).exit_code, 2);
  EXPECT_EQ(run_program({"inspect", folder.write("b.safetensors", "junk")}).exit_code, 3);
  EXPECT_EQ(run_program({"inspect"}).exit_code, 2);
}

}  // namespace
}  // namespace reel::app
