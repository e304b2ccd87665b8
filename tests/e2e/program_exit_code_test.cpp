// What a user got wrong: exit code 2, one clear message, and nothing on the disk.
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/program_fixture.h"

namespace reel::testing {
namespace {

class ProgramRefuses : public ProgramTest {
 protected:
  void expect_usage_error(const Arguments& flags, const std::vector<std::string>& texts) {
    expect_refused(generate(folder_ / "clip.mp4", flags), 2, texts);
    EXPECT_TRUE(folder_.names().empty());
  }
};

TEST_F(ProgramRefuses, UnknownFlagsAndCommandsWithASuggestion) {
  expect_usage_error({"--heigth", "64"}, {"--heigth: unknown flag", "did you mean --height?"});
  expect_refused({"genrate"}, 2, {"genrate: unknown command", "did you mean generate?"});
}

TEST_F(ProgramRefuses, AllProblemsOfARequestAtOnce) {
  expect_usage_error({"-W", "1270", "--frames", "128", "--steps", "0", "--tau", "0", "--crf", "99"},
                     {"5 problems", "--width", "1264 or 1280", "--frames", "125 or 129", "--steps",
                      "--tau", "--crf"});
}

TEST_F(ProgramRefuses, TauOutsideItsRange) {
  for (const char* tau : {"0", "-0.5", "1.01", "nan", "much"}) {
    expect_usage_error({"--attn", "xattn", "--tau", tau}, {"--tau"});
  }
}

TEST_F(ProgramRefuses, NumbersThatAreNone) {
  expect_usage_error({"--seed", "4x"}, {"--seed"});
  expect_usage_error({"--guidance", "inf"}, {"--guidance"});
  expect_usage_error({"--flow-shift", "0"}, {"--flow-shift"});
  expect_usage_error({"--fps", "0"}, {"--fps"});
  expect_usage_error({"--samples", "0"}, {"--samples"});
  expect_usage_error({"--threads", "0"}, {"--threads"});
}

TEST_F(ProgramRefuses, SizesBeyondAnyVideo) {
  expect_usage_error({"-W", "99999999999999999999"}, {"--width"});
  expect_usage_error({"-W", "-64"}, {"--width"});
  expect_usage_error({"--frames", "-3"}, {"--frames"});
}

TEST_F(ProgramRefuses, AnOutputThatExists) {
  const auto video = folder_.write("clip.mp4", "mine");
  expect_refused(generate(video), 2, {video});
  EXPECT_EQ(read_bytes(video), "mine");
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"clip.mp4"});
}

TEST_F(ProgramRefuses, OutputsThatCannotBeWritten) {
  expect_refused(generate(folder_ / "none/clip.mp4"), 2, {folder_ / "none"});
  expect_refused(generate(folder_ / "clip.avi"), 2, {"--output: not an MP4 name"});
  expect_refused(generate("/proc/clip.mp4"), 2, {"/proc"});
  EXPECT_TRUE(folder_.names().empty());
}

TEST_F(ProgramRefuses, AFolderWithoutPermission) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  const auto closed = folder_ / "closed";
  std::filesystem::create_directory(closed);
  chmod(closed.c_str(), 0500);
  expect_refused(generate(closed / "clip.mp4"), 2, {closed});
}

TEST_F(ProgramRefuses, SamplesWithOneName) {
  expect_usage_error({"--samples", "2"}, {"two results want one name", "{seed}"});
}

TEST_F(ProgramRefuses, WhatComesInALaterVersion) {
  expect_usage_error({"--density-maps", "d"}, {"--density-maps: not in this version"});
  expect_usage_error({"--ulysses", "2"}, {"--ulysses: not in this version"});
}

TEST_F(ProgramRefuses, APromptThatIsNotUtf8) {
  expect_usage_error({"-p", "caf\xE9"}, {"UTF-8"});
  const auto file = folder_.write("p.txt", "\xC0\xAF");
  auto arguments = generate(folder_ / "clip.mp4", {"--prompt-file", file});
  arguments.erase(std::find(arguments.begin(), arguments.end(), "-p"),
                  std::find(arguments.begin(), arguments.end(), "-p") + 2);
  expect_refused(arguments, 2, {"UTF-8"});
}

TEST_F(ProgramRefuses, FlagsThatWouldHaveNoEffect) {
  expect_usage_error({"-n", "rain"}, {"--negative-prompt", "--cfg-scale"});
  expect_usage_error({"--attn", "xattn", "--dense-steps", "2"}, {"--dense-steps"});
  expect_usage_error({"--attn", "xattn", "--protect", "self"}, {"--protect"});
  expect_usage_error({"--device", "cpu", "--dtype", "fp16"}, {"--dtype"});
  expect_usage_error({"--device", "cpu", "--offload", "blocks"}, {"--offload", "CPU", "want none"});
  expect_usage_error({"--offload", "none", "--use-cpu-offload"}, {"--use-cpu-offload"});
  expect_usage_error({"--stride", "7", "--attn", "xattn"}, {"--stride"});
  expect_usage_error({"-q", "-v"}, {"--quiet"});
}

TEST_F(ProgramRefuses, NoiseOfAnotherShape) {
  const auto file = folder_.write("noise.safetensors", "nothing");
  expect_refused(generate(folder_ / "clip.mp4", {"--latents", file}), 2, {file});
  expect_refused(generate(folder_ / "clip.mp4", {"--latents", folder_ / "none"}), 2,
                 {folder_ / "none"});
}

TEST_F(ProgramRefuses, AMissingModelOrPrompt) {
  expect_refused({"generate", "-o", folder_ / "clip.mp4"}, 2, {"--model", "--prompt"});
}

TEST_F(ProgramRefuses, SaysHowItIsUsed) {
  for (const Arguments& words : {Arguments{"--help"}, {"generate", "--help"}, {"probe", "-h"}}) {
    const auto run = run_program(words);
    EXPECT_EQ(run.exit_code, 0);
    EXPECT_NE(run.out.find("sparsereel"), std::string::npos);
    EXPECT_EQ(run.err, "");
  }
  const auto nothing = run_program({});
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_EQ(nothing.out, "");
}

}  // namespace
}  // namespace reel::testing
