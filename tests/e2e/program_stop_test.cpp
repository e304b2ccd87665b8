// Runs that are stopped or run out of disk leave nothing half-written.
#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>

#include <csignal>

#include "tests/e2e/program_fixture.h"
#include "tests/e2e/small_disk.h"

namespace reel::testing {
namespace {

using ::testing::HasSubstr;

class ProgramStops : public ProgramTest {
 protected:
  // Sends `signal` as soon as `event` was told.
  ProgramRun stop_at(const std::string& event, int signal, const Arguments& flags) {
    Program program(generate(folder_ / "clip.mp4", Arguments{"--progress", "json"} + flags));
    EXPECT_TRUE(program.wait_for_output("\"" + event + "\""));
    program.send(signal);
    return program.wait();
  }
};

TEST_F(ProgramStops, OnInterruptBetweenSteps) {
  const auto run = stop_at("step", SIGINT, {"--steps", "5000"});
  EXPECT_EQ(run.exit_code, 130) << run.err;
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"clip.state.safetensors"});
  EXPECT_THAT(run.err, HasSubstr("the same command with --resume goes on from there"));
  EXPECT_THAT(run.out, HasSubstr("job_failed"));
}

TEST_F(ProgramStops, OnTerminateBetweenSteps) {
  const auto run = stop_at("step", SIGTERM, {"--steps", "5000"});
  EXPECT_EQ(run.exit_code, 143) << run.err;
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"clip.state.safetensors"});
}

TEST_F(ProgramStops, WhileDecodingAndKeepsTheLatents) {
  const auto run = stop_at("decode", SIGINT,
                           {"--steps", "1", "-W", "256", "-H", "256", "--frames", "65",
                            "--vae-tile", "64:64:16:16", "--frames-png", folder_ / "png"});
  EXPECT_EQ(run.exit_code, 130) << run.err;
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"clip.latents.safetensors"});
}

TEST_F(ProgramStops, OnSamplesKeepsThoseThatAreDone) {
  Program program(generate(folder_ / "{index}.mp4", {"--progress", "json", "--samples", "500"}));
  EXPECT_TRUE(program.wait_for_output("\"job_done\""));
  program.send(SIGTERM);
  EXPECT_EQ(program.wait().exit_code, 143);
  const auto names = folder_.names();
  EXPECT_THAT(names, ::testing::Contains("0.mp4"));
  for (const auto& name : names) {
    EXPECT_THAT(name, ::testing::AnyOf(::testing::EndsWith(".mp4"),
                                       ::testing::EndsWith(".state.safetensors"),
                                       ::testing::EndsWith(".latents.safetensors")));
  }
}

TEST_F(ProgramStops, WhenTheDiskIsFull) {
  const auto folder = folder_ / "disk";
  const SmallDisk disk(folder, "32k");
  if (!disk.mounted()) GTEST_SKIP() << "may not mount a file system";
  const auto run = run_program(
      generate(folder / "clip.mp4", {"--progress", "none", "--frames", "9", "--lossless"}));
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_THAT(run.err, HasSubstr("clip.mp4"));
  EXPECT_THAT(run.err, HasSubstr("No space left"));
  for (const auto& name : folder_.names()) {
    if (name == "disk") continue;
    EXPECT_EQ(name, "disk/clip.latents.safetensors");
    EXPECT_EQ(read_tensors(folder_ / name).size(), 1u);
  }
}

}  // namespace
}  // namespace reel::testing
