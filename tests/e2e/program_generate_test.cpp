// `generate`: what appears on the disk and what the program says about it.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "media/frame_reader.h"
#include "media/video_facts.h"
#include "tests/e2e/program_fixture.h"
#include "weights/safetensors.h"

namespace reel::testing {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

json metadata_of(const std::filesystem::path& video) {
  return json::parse(media::read_video_facts(video).comment);
}

json read_json(const std::filesystem::path& file) {
  return json::parse(read_bytes(file));
}

class ProgramGenerate : public ProgramTest {
 protected:
  ProgramRun succeed(const Arguments& arguments) {
    auto run = run_program(arguments);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return run;
  }
};

TEST_F(ProgramGenerate, WritesOneVideoOfTheWantedFramesAndRate) {
  const auto video = folder_ / "clip.mp4";
  const auto run = succeed(generate(video, {"--frames", "9", "--fps", "24000/1001"}));
  EXPECT_THAT(folder_.names(), ElementsAre("clip.mp4"));
  EXPECT_EQ(run.out, video.string() + "\n");
  const auto facts = media::read_video_facts(video);
  EXPECT_EQ(facts.codec, "h264");
  EXPECT_EQ(facts.width, 64);
  EXPECT_EQ(facts.height, 64);
  EXPECT_EQ(facts.num_frames, 9);
  EXPECT_EQ(media::frame_rate_text(facts.frame_rate), "24000/1001");
  EXPECT_EQ(facts.colour_matrix, "bt709");
  EXPECT_EQ(facts.colour_range, "tv");
  EXPECT_TRUE(facts.index_in_front);
}

TEST_F(ProgramGenerate, KeepsTheWholeRequestInTheVideo) {
  const auto video = folder_ / "clip.mp4";
  succeed(generate(video, {"--seed", "7"}));
  const auto metadata = metadata_of(video);
  for (const char* key : {"program", "model", "density", "timing_ms", "device", "encoder"}) {
    EXPECT_TRUE(metadata.contains(key)) << key;
  }
  EXPECT_EQ(metadata.at("format"), 1);
  for (const char* key : {"name", "version", "commit"}) {
    EXPECT_TRUE(metadata.at("program").contains(key)) << key;
  }
  const json wanted = {{"prompt", "a blue star spins"},
                       {"seed", 7},
                       {"width", 64},
                       {"height", 64},
                       {"frames", 5},
                       {"steps", 2}};
  for (const auto& [key, value] : wanted.items()) {
    EXPECT_EQ(metadata.at("request").value(key, json()), value) << key;
  }
  for (const char* key : {"negative_prompt", "guidance", "cfg_scale", "flow_shift", "fps"}) {
    EXPECT_TRUE(metadata.at("request").contains(key)) << key;
  }
  for (const char* key : {"mode", "tau", "stride", "block", "dense_steps", "protect"}) {
    EXPECT_TRUE(metadata.at("attention").contains(key)) << key;
  }
  EXPECT_TRUE(metadata.at("attention").contains("schedule_hash"));
  EXPECT_TRUE(metadata.at("density").contains("mean"));
  EXPECT_TRUE(metadata.at("density").contains("by_step"));
  ASSERT_GE(metadata.at("model").at("files").size(), 4u);
  for (const auto& file : metadata.at("model").at("files")) {
    EXPECT_GT(file.at("bytes"), 0);
    EXPECT_EQ(file.at("header_sha256").get<std::string>().size(), 64u);
  }
  EXPECT_EQ(metadata.at("noise_sha256").get<std::string>().size(), 64u);
  EXPECT_FALSE(metadata.at("licence").get<std::string>().empty());
}

TEST_F(ProgramGenerate, RepeatsItselfWithOneSeedAndNotWithAnother) {
  for (const char* name : {"a.mp4", "b.mp4"}) {
    succeed(generate(folder_ / name, {"--attn", "xattn", "--dense-steps", "1"}));
  }
  succeed(generate(folder_ / "c.mp4", {"--attn", "xattn", "--dense-steps", "1", "--seed", "43"}));
  const auto a = metadata_of(folder_ / "a.mp4");
  EXPECT_EQ(a.at("latents_sha256"), metadata_of(folder_ / "b.mp4").at("latents_sha256"));
  EXPECT_NE(a.at("latents_sha256"), metadata_of(folder_ / "c.mp4").at("latents_sha256"));
  EXPECT_TRUE(
      at::equal(media::read_frames(folder_ / "a.mp4"), media::read_frames(folder_ / "b.mp4")));
}

TEST_F(ProgramGenerate, BothLayoutsRenderTheSame) {
  succeed(generate(folder_ / "a.mp4"));
  succeed(generate(folder_ / "b.mp4", {"--model", model(weights::Layout::kOfficial)}));
  EXPECT_EQ(metadata_of(folder_ / "a.mp4").at("latents_sha256"),
            metadata_of(folder_ / "b.mp4").at("latents_sha256"));
}

TEST_F(ProgramGenerate, SamplesHaveSeedsOfTheirOwn) {
  const auto run = succeed(generate(folder_ / "{index}_{seed}.mp4", {"--samples", "2"}));
  EXPECT_THAT(folder_.names(), ElementsAre("0_42.mp4", "1_43.mp4"));
  EXPECT_EQ(run.out,
            (folder_ / "0_42.mp4").string() + "\n" + (folder_ / "1_43.mp4").string() + "\n");
  const auto second = metadata_of(folder_ / "1_43.mp4");
  EXPECT_EQ(second.at("request").at("seed"), 43);
  succeed(generate(folder_ / "alone.mp4", {"--seed", "43"}));
  EXPECT_EQ(second.at("latents_sha256"), metadata_of(folder_ / "alone.mp4").at("latents_sha256"));
}

TEST_F(ProgramGenerate, StartsFromGivenNoiseAndSavesItsLatents) {
  at::manual_seed(5);
  const at::Tensor noise = at::randn({1, 4, 2, 8, 8});
  const auto noise_file = folder_ / "noise.safetensors";
  const auto latents_file = folder_ / "latents.safetensors";
  weights::save_safetensors(noise_file, {{"noise", noise}});
  succeed(generate(folder_ / "clip.mp4",
                   {"--latents", noise_file, "--save-latents", latents_file, "--cfg-scale", "1"}));

  const auto encoded = encode("a blue star spins\n");
  const at::Tensor states = encoded.at("text_states_0").unsqueeze(0);
  const auto denoised = probe("denoise",
                              {{"noise", noise},
                               {"text_states", states},
                               {"text_mask", at::ones({1, states.size(1)}, at::kLong)},
                               {"text_pooled", encoded.at("text_pooled_0").unsqueeze(0)}},
                              {"--steps", "2"});
  const auto saved = read_tensors(latents_file);
  ASSERT_EQ(saved.size(), 1u);
  EXPECT_TRUE(at::equal(saved.at("latents"), denoised.at("latents")));
}

TEST_F(ProgramGenerate, WritesFramesAndFiguresBesideALosslessVideo) {
  const auto video = folder_ / "clip.mp4";
  succeed(generate(video, {"--attn", "xattn", "--dense-steps", "1", "--lossless", "--pix-fmt",
                           "rgb24", "--frames-png", folder_ / "png", "--density-json",
                           folder_ / "density.json", "--perf-json", folder_ / "perf.json"}));
  EXPECT_THAT(folder_.names(),
              ElementsAre("clip.mp4", "density.json", "perf.json", "png", "png/000000.png",
                          "png/000001.png", "png/000002.png", "png/000003.png", "png/000004.png"));
  const at::Tensor frames = media::read_frames(video);
  ASSERT_EQ(frames.sizes(), at::IntArrayRef({5, 64, 64, 3}));
  for (const int i : {0, 4}) {
    const auto png = folder_ / "png" / ("00000" + std::to_string(i) + ".png");
    EXPECT_TRUE(at::equal(media::read_frames(png)[0], frames[i])) << i;
  }
  const auto density = read_json(folder_ / "density.json");
  EXPECT_EQ(density.at("format"), 1);
  EXPECT_EQ(density.at("by_step").size(), 2u);
  const auto perf = read_json(folder_ / "perf.json");
  EXPECT_EQ(perf.at("format"), 1);
  ASSERT_EQ(perf.at("steps").size(), 2u);
  EXPECT_EQ(perf.at("steps")[0].at("mode"), "dense");
  EXPECT_EQ(perf.at("steps")[1].at("mode"), "sparse");
}

TEST_F(ProgramGenerate, OutputDirGetsASidecar) {
  const auto out = folder_ / "new/out";
  succeed(generate("{seed}.mp4", {"--output-dir", out}));
  EXPECT_THAT(folder_.names(), ElementsAre("new", "new/out", "new/out/42.mp4", "new/out/meta",
                                           "new/out/meta/42.json"));
  EXPECT_EQ(read_json(out / "meta/42.json"), metadata_of(out / "42.mp4"));
}

TEST_F(ProgramGenerate, DryRunLoadsAndWritesNothing) {
  const auto run = succeed(generate(folder_ / "clip.mp4", {"--dry-run", "--progress", "json"}));
  EXPECT_THAT(run.out, HasSubstr((folder_ / "clip.mp4").string()));
  EXPECT_THAT(run.out, HasSubstr("64 x 64, 5 frames at 24"));
  EXPECT_EQ(run.out.find("\"load\""), std::string::npos);
  EXPECT_TRUE(folder_.names().empty());
}

TEST_F(ProgramGenerate, DryRunIsDoneWithoutMemoryForTheModel) {
  const auto run =
      run_program({"generate", "--model", model(), "-p", "a", "-W", "64", "-H", "64", "--frames",
                   "5", "--steps", "2", "--dry-run", "-o", folder_ / "clip.mp4"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  // The default of five dense steps does not fit two: that is said, not hidden.
  EXPECT_THAT(run.err, HasSubstr("dense"));
  EXPECT_THAT(run.out, HasSubstr("of cpu, which fits; offload none"));
}

TEST_F(ProgramGenerate, RefusesWhatCannotFitBeforeItLoadsAnything) {
  std::vector<std::string> huge = {"generate", "--model",  model(), "-p",   "a",
                                   "-W",       "8192",     "-H",    "8192", "--frames",
                                   "2049",     "--device", "cpu",   "-o",   folder_ / "clip.mp4"};
  const auto refused = run_program(huge);
  EXPECT_EQ(refused.exit_code, 4) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("memory: too little is free on cpu: have "));
  EXPECT_THAT(refused.err, HasSubstr("; try fewer frames or a smaller size"));
  EXPECT_TRUE(folder_.names().empty());
  huge.push_back("--dry-run");
  const auto planned = run_program(huge);
  EXPECT_EQ(planned.exit_code, 0) << planned.err;
  EXPECT_THAT(planned.out, HasSubstr("of cpu, which does not fit: "));
}

TEST_F(ProgramGenerate, TellsItsProgressInJsonLines) {
  const auto run = succeed(generate(folder_ / "clip.mp4", {"--progress", "json"}));
  std::vector<std::string> events;
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) {
    const auto event = json::parse(line);
    EXPECT_EQ(event.at("format"), 1);
    const auto name = event.at("event").get<std::string>();
    if (events.empty() || events.back() != name) events.push_back(name);
    if (name == "step") {
      for (const char* key : {"i", "n", "sec", "eta", "mode", "density"}) {
        EXPECT_TRUE(event.contains(key)) << key;
      }
    }
    if (name == "job_done") {
      EXPECT_EQ(event.at("output"), (folder_ / "clip.mp4").string());
    }
  }
  std::erase(events, "load");
  EXPECT_EQ(events.front(), "job_start");
  EXPECT_EQ(events.back(), "job_done");
  for (const char* name : {"step", "decode", "encode"}) {
    EXPECT_THAT(events, ::testing::Contains(name));
  }
}

TEST_F(ProgramGenerate, QuietLeavesTheResultAlone) {
  const auto video = folder_ / "clip.mp4";
  const auto run = succeed(generate(video, {"-q"}));
  EXPECT_EQ(run.err, "");
  EXPECT_EQ(run.out, video.string() + "\n");
}

TEST_F(ProgramGenerate, TakesAPromptOfAnyLengthAndSaysWhatWasCut) {
  std::string words;
  for (int i = 0; i < 2000; ++i) words += "star ";
  auto arguments = generate(folder_ / "clip.mp4", {"--prompt-file", folder_.write("p.txt", words)});
  const auto prompt = std::find(arguments.begin(), arguments.end(), "-p");
  arguments.erase(prompt, prompt + 2);
  const auto run = succeed(arguments);
  EXPECT_THAT(run.err, HasSubstr("star"));
}

TEST_F(ProgramGenerate, OverwriteReplacesAFile) {
  const auto video = folder_.write("clip.mp4", "old");
  succeed(generate(video, {"--overwrite"}));
  EXPECT_EQ(media::read_video_facts(video).num_frames, 5);
  EXPECT_THAT(folder_.names(), ElementsAre("clip.mp4"));
}

}  // namespace
}  // namespace reel::testing
