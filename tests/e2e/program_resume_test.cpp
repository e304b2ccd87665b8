// Runs that stop and go on, latents that become videos later, and videos that are made again.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "media/frame_reader.h"
#include "media/video_facts.h"
#include "tests/e2e/program_fixture.h"
#include "weights/safetensors.h"

namespace reel::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

json metadata_of(const std::filesystem::path& video) {
  return json::parse(media::read_video_facts(video).comment);
}

struct Way {
  const char* name;
  Arguments flags;
};

class ProgramResume : public ProgramTest {
 protected:
  static constexpr const char* kSteps = "60";

  std::filesystem::path video(const char* name) const { return folder_ / name; }

  // Runs to the end, and once more until `signal` comes after the first step.
  void interrupt(const Arguments& flags, int signal) {
    ASSERT_EQ(run_program(generate(video("whole.mp4"), flags)).exit_code, 0);
    Program program(generate(video("clip.mp4"), Arguments{"--progress", "json"} + flags));
    ASSERT_TRUE(program.wait_for_output("\"i\":3,"));
    program.send(signal);
    const auto run = program.wait();
    ASSERT_NE(run.exit_code, 0) << "too fast for a test";
    ASSERT_THAT(folder_.names(), Contains("clip.state.safetensors")) << run.err;
  }

  void expect_resumed(const Arguments& flags) {
    const auto run = run_program(
        generate(video("clip.mp4"), Arguments{"--resume", "--progress", "plain"} + flags));
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.err, HasSubstr("clip.mp4: going on after step "));
    const auto whole = metadata_of(video("whole.mp4"));
    const auto clip = metadata_of(video("clip.mp4"));
    EXPECT_EQ(clip["latents_sha256"], whole["latents_sha256"]);
    EXPECT_EQ(clip["timing_ms"]["steps"].size(), whole["timing_ms"]["steps"].size());
    EXPECT_EQ(clip["density"], whole["density"]);
    EXPECT_TRUE(
        media::read_frames(video("clip.mp4")).equal(media::read_frames(video("whole.mp4"))));
    EXPECT_THAT(folder_.names(), ElementsAre("clip.mp4", "whole.mp4")) << "nothing else is left";
  }
};

class ProgramResumes : public ProgramResume, public ::testing::WithParamInterface<Way> {
 protected:
  Arguments flags() const { return GetParam().flags + Arguments{"--steps", kSteps}; }
};

TEST_P(ProgramResumes, AfterAnInterruptToTheSameBits) {
  interrupt(flags(), SIGINT);
  expect_resumed(flags());
}

TEST_P(ProgramResumes, AfterAKillToTheSameBits) {
  interrupt(flags() + Arguments{"--checkpoint-every", "1"}, SIGKILL);
  expect_resumed(flags());
}

INSTANTIATE_TEST_SUITE_P(Ways, ProgramResumes,
                         ::testing::Values(Way{"dense", {"--attn", "dense"}},
                                           Way{"sparse",
                                               {"--attn", "xattn", "--tau", "0.5", "--block", "64",
                                                "--dense-steps", "10", "-W", "160", "-H", "128"}},
                                           Way{"two_passes",
                                               {"--cfg-scale", "3", "-n", "grey", "--tau", "0.5"}}),
                         [](const auto& way) { return std::string(way.param.name); });

TEST_F(ProgramResume, RefusesAStateOfOtherSettingsAndNamesOne) {
  interrupt({"--steps", kSteps}, SIGTERM);
  const auto resume = [&](const Arguments& more) {
    return generate(video("clip.mp4"), Arguments{"--resume", "--quiet"} + more);
  };
  expect_refused(resume({"--steps", "61"}), 2,
                 {"clip.state.safetensors: made with other settings: steps: was 60, is 61",
                  "--overwrite to start again"});
  expect_refused(resume({"--steps", kSteps, "--attn", "xattn", "--tau", "0.51"}), 2,
                 {"mode: was \"dense\", is \"xattn\""});
  expect_refused(generate(video("clip.mp4"), {"--steps", kSteps, "--quiet"}), 2,
                 {"clip.state.safetensors: state of an earlier run: want --resume"});
  const auto again =
      run_program(generate(video("clip.mp4"), {"--steps", kSteps, "--overwrite", "--quiet"}));
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(folder_.names(), ElementsAre("clip.mp4", "whole.mp4"));
}

TEST_F(ProgramResume, LeavesAFinishedClipAsItIsAndRefusesAnother) {
  ASSERT_EQ(run_program(generate(video("clip.mp4"))).exit_code, 0);
  const auto before = read_bytes(video("clip.mp4"));
  const auto again = run_program(generate(video("clip.mp4"), {"--resume"}));
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(read_bytes(video("clip.mp4")), before);
  expect_refused(generate(video("clip.mp4"), {"--resume", "--quiet", "--seed", "5"}), 2,
                 {"clip.mp4: is there already, and not made with these settings"});
  expect_refused(generate(video("clip.mp4"), {"--resume", "--overwrite"}), 2,
                 {"--resume: cannot go with --overwrite"});
  expect_refused(generate(video("b.mp4"), {"--checkpoint-every", "0"}), 2,
                 {"--checkpoint-every: too small: got 0"});
}

TEST_F(ProgramResume, RefusesADamagedState) {
  interrupt({"--steps", kSteps}, SIGINT);
  const auto file = video("clip.state.safetensors");
  auto bytes = read_bytes(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(file, std::ios::binary) << bytes;
  expect_refused(generate(video("clip.mp4"), {"--steps", kSteps, "--resume", "--quiet"}), 2,
                 {"clip.state.safetensors", "the file is damaged or was changed"});
}

// Such a file says nothing about the run that made it.
TEST_F(ProgramResume, RefusesLatentsWithoutARecord) {
  weights::save_safetensors(video("clip.latents.safetensors"),
                            {{"latents", at::zeros({1, 4, 2, 8, 8})}});
  expect_refused(generate(video("clip.mp4"), {"--steps", "2", "--resume", "--quiet"}), 2,
                 {"clip.latents.safetensors: made with other settings: it does not say which"});
}

class ProgramDecode : public ProgramTest {
 protected:
  ProgramDecode() {
    const auto run = run_program(
        generate(folder_ / "clip.mp4", {"--save-latents", "--lossless", "--pix-fmt", "rgb24"}));
    EXPECT_EQ(run.exit_code, 0) << run.err;
  }
  Arguments decode(const std::filesystem::path& file, const Arguments& more = {}) const {
    return Arguments{"decode",         file.string(), "--model",
                     model().string(), "-o",          (folder_ / "decoded.mp4").string()} +
           more;
  }
  std::filesystem::path latents() const { return folder_ / "clip.latents.safetensors"; }
  // A file of one tensor of that name.
  std::filesystem::path file_of(const std::string& name, const at::Tensor& tensor) const {
    weights::save_safetensors(folder_ / "other.safetensors", {{name, tensor}});
    return folder_ / "other.safetensors";
  }
};

TEST_F(ProgramDecode, MakesTheVideoThatTheRunWouldHaveMade) {
  const auto run = run_program(decode(latents(), {"--lossless", "--pix-fmt", "rgb24"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, (folder_ / "decoded.mp4").string() + "\n");
  EXPECT_TRUE(
      media::read_frames(folder_ / "decoded.mp4").equal(media::read_frames(folder_ / "clip.mp4")));
  const auto was = metadata_of(folder_ / "clip.mp4");
  const auto is = metadata_of(folder_ / "decoded.mp4");
  EXPECT_EQ(is["request"], was["request"]);
  EXPECT_EQ(is["latents_sha256"], was["latents_sha256"]);
  EXPECT_EQ(is["decoded_by"], was["program"]);
}

TEST_F(ProgramDecode, TakesTilesRateAndEncoderFromTheRunUnlessFlagsSayOtherwise) {
  const auto clip = folder_ / "tiles.mp4";
  const auto made = run_program(
      generate(clip, {"-W", "128", "--frames", "17", "--vae-tile", "64:48:16:12", "--lossless",
                      "--fps", "24000/1001", "--save-latents", "--threads", "2"}));
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const auto run = run_program(decode(folder_ / "tiles.latents.safetensors"));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(media::read_frames(folder_ / "decoded.mp4").equal(media::read_frames(clip)));
  const auto was = metadata_of(clip);
  auto is = metadata_of(folder_ / "decoded.mp4");
  for (const char* key : {"request", "encoder", "device"}) EXPECT_EQ(is[key], was[key]) << key;
  const auto other = run_program(decode(folder_ / "tiles.latents.safetensors",
                                        {"--overwrite", "--crf", "30", "--vae-tiling", "off"}));
  ASSERT_EQ(other.exit_code, 0) << other.err;
  is = metadata_of(folder_ / "decoded.mp4");
  EXPECT_EQ(is.at("encoder").at("crf"), 30);
  EXPECT_EQ(is.at("encoder").at("lossless"), false);
  EXPECT_EQ(is.at("request").at("vae_tiling"), "off");
}

TEST_F(ProgramDecode, TakesLatentsWithoutAnyRecord) {
  const auto tensors = read_tensors(latents());
  const auto run = run_program(decode(file_of("latents", tensors.at("latents")), {"--fps", "8"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto facts = media::read_video_facts(folder_ / "decoded.mp4");
  EXPECT_EQ(media::frame_rate_text(facts.frame_rate), "8");
}

TEST_F(ProgramDecode, FinishesARunWhoseDecodingFailed) {
  Program program(
      generate(folder_ / "b.mp4", {"--progress", "json", "--steps", "1", "-W", "256", "-H", "256",
                                   "--frames", "65", "--vae-tile", "64:64:16:16"}));
  ASSERT_TRUE(program.wait_for_output("\"decode\""));
  program.send(SIGKILL);
  program.wait();
  EXPECT_EQ(run_program(decode(folder_ / "b.latents.safetensors")).exit_code, 0);
  EXPECT_EQ(media::read_video_facts(folder_ / "decoded.mp4").num_frames, 65);
}

TEST_F(ProgramDecode, RefusesWhatIsNotTheLatentsOfThisModel) {
  const at::Tensor good = read_tensors(latents()).at("latents");
  expect_refused(decode(file_of("noise", good)), 2, {"this is noise, which generate --latents"});
  expect_refused(decode(file_of("latents", good[0])), 2, {"latents: wrong shape", "want [1, C"});
  at::Tensor broken = good.clone();
  broken.view(-1)[3] = std::numeric_limits<float>::quiet_NaN();
  expect_refused(decode(file_of("latents", broken)), 2, {"holds values that are not finite"});
  expect_refused(decode(file_of("latents", at::cat({good, good}, 1))), 2,
                 {"latents: wrong number of channels"});
  expect_refused(decode(file_of("unfinished_latents", good)), 2, {"unfinished_latents"});
  expect_refused(decode(file_of("latents", good.to(at::kLong))), 2, {"wrong dtype"});
  const auto bytes = read_bytes(latents());
  expect_refused(decode(folder_.write("cut.safetensors", bytes.substr(0, bytes.size() / 2))), 2,
                 {"cut.safetensors"});
  expect_refused(decode(folder_ / "none.safetensors"), 2, {"none.safetensors"});
  expect_refused({"decode", "--model", model().string()}, 2, {"one file of latents is wanted"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "decoded.mp4"));
}

class ProgramReplay : public ProgramTest {
 protected:
  Arguments replay(const std::filesystem::path& file, const Arguments& more = {}) const {
    return Arguments{"replay", file.string(), "-o", (folder_ / "again.mp4").string()} + more;
  }
  Arguments with_model() const { return {"--model", model().string()}; }
};

TEST_F(ProgramReplay, RendersTheSameBitsWhateverTheFlagsWere) {
  const auto head_tau = folder_.write(
      "schedule.json",
      R"({"format":1,"rules":[{"steps":"1","layers":"0","heads":"1","mode":"xattn","tau":0.3}]})");
  const auto taus = folder_.write(
      "taus.json", R"({"format":1,"tau":[[0.5,0.6],[0.7,0.8],[0.9,0.5],[0.6,0.7],[0.8,0.9]]})");
  const std::vector<Arguments> ways = {
      {"--attn", "dense", "--seed", "18446744073709551615"},
      {"-W", "160", "-H", "128", "--attn", "xattn", "--tau", "0.4", "--block", "64", "--stride",
       "4", "--dense-steps", "1", "--select", "diagonal", "--rule", "top-ratio=0.5"},
      {"-W", "160", "-H", "128", "--attn", "dense", "--schedule", head_tau.string()},
      {"--attn", "reference", "--dense-steps", "0", "--head-tau", taus.string()},
      {"--attn", "reference", "--dense-steps", "0", "--dense-layers", "0", "--tau", "0.6"},
      {"--cfg-scale", "2.5", "-n", "a \"grey\" \xc3\xa4 sky", "--flow-shift", "5", "--fps",
       "23.976", "--guidance", "3", "--template", "image", "--vae-tile", "64:48:16:12"}};
  for (const auto& way : ways) {
    SCOPED_TRACE(::testing::PrintToString(way));
    const auto made = run_program(generate(
        folder_ / "clip.mp4", Arguments{"--overwrite", "--crf", "9", "--preset", "fast"} + way));
    ASSERT_EQ(made.exit_code, 0) << made.err;
    const auto run =
        run_program(replay(folder_ / "clip.mp4", with_model() + Arguments{"--overwrite"}));
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.err, HasSubstr("the latents are those of the video, bit for bit"));
    EXPECT_EQ(read_bytes(folder_ / "again.mp4").size() > 0, true);
    EXPECT_TRUE(
        media::read_frames(folder_ / "again.mp4").equal(media::read_frames(folder_ / "clip.mp4")));
    const auto was = metadata_of(folder_ / "clip.mp4");
    const auto is = metadata_of(folder_ / "again.mp4");
    for (const char* key : {"request", "attention", "encoder", "request_hash"}) {
      EXPECT_EQ(is[key], was[key]) << key;
    }
  }
}

TEST_F(ProgramReplay, RunsWithTheThreadsOfTheFirstRunAndSaysIfNot) {
  ASSERT_EQ(run_program(generate(folder_ / "clip.mp4", {"--threads", "3"})).exit_code, 0);
  const auto run = run_program(replay(folder_ / "clip.mp4", with_model()));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(metadata_of(folder_ / "again.mp4").at("device").at("threads"), 3);
  const auto other = run_program(
      replay(folder_ / "clip.mp4", with_model() + Arguments{"--threads", "1", "--overwrite"}));
  EXPECT_THAT(other.err, HasSubstr("not as in the video: device threads: was 3, is 1"));
}

TEST_F(ProgramReplay, RendersAJobOfABatchAgain) {
  const auto jobs =
      folder_.write("jobs.jsonl", R"({"id":"a","prompt":"short","prompt_rewritten":"a long star",)"
                                  R"("tau":0.5,"attn":"xattn","dense_steps":1})"
                                  "\n");
  const auto run = run_program({"batch", jobs.string(), "--model", model().string(), "--output-dir",
                                (folder_ / "run").string(), "-W", "64", "-H", "64", "--frames", "5",
                                "--steps", "2", "--preset", "veryfast"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto again = run_program(replay(folder_ / "run/videos/a_s42.mp4", with_model()));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("the latents are those of the video, bit for bit"));
}

TEST_F(ProgramReplay, TakesTheSidecarAndWantsTheNoiseThatWasGiven) {
  const auto first = run_program(generate(folder_ / "clip.mp4"));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const auto sidecar = folder_.write("clip.json", metadata_of(folder_ / "clip.mp4").dump());
  EXPECT_EQ(run_program(replay(sidecar, with_model())).exit_code, 0);
  expect_refused(replay(sidecar, with_model() + Arguments{"--latents", "noise.safetensors"}), 2,
                 {"--latents: the video's noise came from its seed"});

  const auto size =
      read_tensors([&] {
        EXPECT_EQ(run_program(generate(folder_ / "l.mp4", {"--save-latents"})).exit_code, 0);
        return folder_ / "l.latents.safetensors";
      }())
          .at("latents")
          .sizes()
          .vec();
  weights::save_safetensors(folder_ / "noise.safetensors", {{"noise", at::ones(size)}});
  const Arguments noise = {"--latents", (folder_ / "noise.safetensors").string()};
  ASSERT_EQ(run_program(generate(folder_ / "given.mp4", noise)).exit_code, 0);
  const Arguments overwrite = {"--overwrite"};
  expect_refused(replay(folder_ / "given.mp4", with_model() + overwrite), 2,
                 {"--latents: is missing", "noise.safetensors"});
  EXPECT_EQ(run_program(replay(folder_ / "given.mp4", with_model() + overwrite + noise)).exit_code,
            0);
}

TEST_F(ProgramReplay, SaysWhatDiffersWhenItCannotBeTheSame) {
  ASSERT_EQ(run_program(generate(folder_ / "clip.mp4")).exit_code, 0);
  auto metadata = metadata_of(folder_ / "clip.mp4");
  metadata["latents_sha256"] = std::string(64, '0');
  metadata["program"]["version"] = "0.0.1";
  metadata["model"]["files"][0]["header_sha256"] = std::string(64, 'a');
  metadata["device"]["name"] = "NVIDIA H200";
  const auto file = folder_.write("changed.json", metadata.dump());
  expect_refused(replay(file, with_model()), 2, {"--device: the video was made on a GPU"});
  const auto run = run_program(replay(file, with_model() + Arguments{"--device", "cpu"}));
  EXPECT_EQ(run.exit_code, 6);
  EXPECT_THAT(run.err,
              AllOf(HasSubstr("not as in the video: program version: was \"0.0.1\""),
                    HasSubstr("header aaaaaaaaaaaa"), HasSubstr("device name: was \"NVIDIA H200\""),
                    HasSubstr("again.mp4: other latents than the video's: program version")));
}

TEST_F(ProgramReplay, RefusesFilesThatCannotBeReplayed) {
  ASSERT_EQ(run_program(generate(folder_ / "clip.mp4")).exit_code, 0);
  const auto good = metadata_of(folder_ / "clip.mp4");
  const auto changed = [&](const char* pointer, const json& value) {
    json metadata = good;
    metadata[json::json_pointer(pointer)] = value;
    return replay(folder_.write("changed.json", metadata.dump()), with_model());
  };
  expect_refused(changed("/format", 2), 2, {"/format: made by a newer version: got 2, want 1"});
  expect_refused(changed("/request/steps", "x"), 2, {"/request/steps"});
  expect_refused(changed("/request/width", 33), 2, {"--width", "got 33"});
  expect_refused(changed("/request/seed", -1), 2, {"/request/seed"});
  expect_refused(changed("/attention/schedule_hash", "0"), 2,
                 {"attention: the metadata do not describe its own schedule: got hash "});
  expect_refused(replay(folder_ / "clip.mp4"), 2, {"--model: is missing: the video was made with"});
  expect_refused(replay(folder_ / "none.mp4", with_model()), 2, {"none.mp4"});
  expect_refused(replay(folder_.write("empty.mp4", ""), with_model()), 2, {"empty.mp4"});
  expect_refused(replay(folder_.write("list.json", "[1]"), with_model()), 2, {"not a JSON object"});
}

TEST_F(ProgramTest, InspectShowsWhatRunsLeave) {
  const auto shown = [&](const std::filesystem::path& path) {
    const auto run = run_program({"inspect", path.string(), "--json"});
    EXPECT_EQ(run.exit_code, 0) << path << run.err;
    EXPECT_EQ(run_program({"inspect", path.string()}).exit_code, 0) << path;
    return run.exit_code == 0 ? json::parse(run.out) : json();
  };
  const auto video = folder_ / "out/clip.mp4";
  const auto run = run_program(generate(
      "clip.mp4", {"--output-dir", (folder_ / "out").string(), "--save-latents", "--probe-recall",
                   (folder_ / "recall.json").string(), "--attn", "xattn", "--dense-steps", "1"}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto metadata = metadata_of(video);

  const auto latents = shown(folder_ / "out/clip.latents.safetensors");
  EXPECT_EQ(latents.at("kind"), "latents");
  EXPECT_EQ(latents.at("shape"), json({1, 4, 2, 8, 8}));
  EXPECT_EQ(latents.at("latents_sha256"), metadata.at("latents_sha256"));
  EXPECT_EQ(latents.at("request_hash"), metadata.at("request_hash"));
  EXPECT_EQ(latents.at("steps_done"), 2);
  EXPECT_EQ(latents.at("metadata").at("request").at("seed"), 42);

  const auto sidecar = shown(folder_ / "out/meta/clip.json");
  EXPECT_EQ(sidecar.at("kind"), "metadata");
  EXPECT_EQ(sidecar.at("metadata"), metadata);
  const auto recall = shown(folder_ / "recall.json");
  EXPECT_EQ(recall.at("kind"), "recall");
  EXPECT_EQ(recall.at("by_step").size(), 2u);

  const auto part = shown(model() / "transformer");
  EXPECT_EQ(part.at("kind"), "weights");
  EXPECT_EQ(part.at("files").size(), 2u);
  const auto archive = shown(model(weights::Layout::kOfficial) /
                             "hunyuan-video-t2v-720p/transformers/mp_rank_00_model_states.pt");
  EXPECT_EQ(archive.at("num_parameters"), part.at("num_parameters"));
  EXPECT_EQ(shown(model()).at("kind"), "model");

  expect_refused({"inspect", folder_.write("x.json", R"({"request":{},"program":{}})").string()}, 2,
                 {"x.json: /format: key is missing"});
  expect_refused({"inspect", folder_.write("y.json", "{}").string()}, 2,
                 {"y.json: /density: key is missing"});
}

}  // namespace
}  // namespace reel::testing
