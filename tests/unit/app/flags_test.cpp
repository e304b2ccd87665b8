// Flags: every spelling, every refusal.
#include "app/parsed_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "app/help.h"
#include "core/error.h"
#include "tests/support/errors.h"

namespace reel::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const CommandInfo& command(std::string_view name) {
  for (const auto& info : command_table()) {
    if (info.name == name) return info;
  }
  throw std::logic_error("no such command");
}

ParsedFlags parse(const std::vector<std::string>& words) {
  return parse_flags(command("generate"), words, 0);
}

std::string refusal(const std::vector<std::string>& words) {
  return testing::error_of<ConfigError>([&] { parse(words); });
}

TEST(FlagTable, SpellsNothingTwiceWithinACommand) {
  for (const Command which : {kGenerate, kProbe, kInspect, kBatch, kMetrics}) {
    std::set<std::string> seen;
    for (const auto& flag : flags_of(which)) {
      for (const auto& name : flag.all_names()) EXPECT_TRUE(seen.insert(name).second) << name;
    }
  }
}

TEST(Help, FitsAScreenPerGroup) {
  constexpr size_t kColumns = 100;
  constexpr int kLines = 25;
  for (const auto& info : command_table()) {
    if (info.command == 0) continue;
    std::istringstream lines(command_help(info));
    int of_group = 0;
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), kColumns) << info.name << ": " << line;
      of_group = line.empty() ? 0 : of_group + 1;
      EXPECT_LE(of_group, kLines) << info.name << ": the group of " << line;
    }
  }
}

TEST(Help, ExamplesAreStillCommandsWhenTheyTakeTwoLines) {
  const std::string help = command_help(command("sweep"));
  EXPECT_THAT(help, HasSubstr("--grid \"tau=0.8,0.9; stride=8,16\" \\\n         --output-dir"));
  EXPECT_THAT(help, Not(HasSubstr("\\\n\n")));
}

TEST(FlagTable, HasEveryAcceptedSpelling) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> kAccepted = {
      {"--prompt", {"-p", "--prompt"}},
      {"--negative-prompt", {"-n", "--neg-prompt"}},
      {"--width", {"-W"}},
      {"--height", {"-H"}},
      {"--frames", {"--num-frames", "--video-frames", "--video-length"}},
      {"--steps", {"--infer-steps", "--num-inference-steps"}},
      {"--seed", {"-s"}},
      {"--samples", {"--num-videos"}},
      {"--guidance", {"--embedded-cfg-scale", "--guidance-scale"}},
      {"--model", {"--model-base"}},
      {"--dit", {"--dit-weight"}},
      {"--tau", {"--threshold"}},
      {"--dense-steps", {"--attn-warmup-steps", "--dense_timesteps"}},
      {"--ulysses", {"--ulysses-degree"}},
      {"--ring", {"--ring-degree"}},
      {"--output", {"-o"}},
      {"--output-dir", {"--save-path"}},
  };
  for (const auto& [name, spellings] : kAccepted) {
    for (const auto& spelling : spellings) {
      EXPECT_EQ(parse({spelling, "7"}).text(name), "7") << spelling;
      if (spelling.size() > 2) {
        EXPECT_EQ(parse({spelling + "=7"}).text(name), "7") << spelling;
      }
    }
  }
}

TEST(ParsedFlags, TakesValuesAsTheyAre) {
  for (const std::string value :
       {"", " ", "-h", "--help", "--steps", "[a,b]", "{}", "\"$HOME\" `ls` 'x'", "a=b", "\xff",
        "%%", "-5", "@file", "true"}) {
    EXPECT_EQ(parse({"-p", value}).text("--prompt"), value);
    EXPECT_EQ(parse({"--prompt", value, "--steps", "3"}).text("--steps"), "3") << value;
  }
}

TEST(ParsedFlags, ReadsNumbersWhole) {
  Problems problems;
  const ParsedFlags flags = parse({"--steps", "12", "--tau", "0.5", "--frames", "12.5", "--fps",
                                   "x", "--cfg-scale", "2x", "--width", "99999999999999999999"});
  EXPECT_EQ(flags.integer("--steps", problems), 12);
  EXPECT_EQ(flags.number("--tau", problems), 0.5);
  EXPECT_EQ(flags.integer("--height", problems), std::nullopt);
  EXPECT_TRUE(problems.empty());
  flags.integer("--frames", problems);
  flags.number("--cfg-scale", problems);
  flags.integer("--width", problems);
  EXPECT_THAT(
      problems.lines(),
      ElementsAre("--frames: not a whole number: got 12.5", "--cfg-scale: not a number: got 2x",
                  "--width: not a whole number: got 99999999999999999999"));
}

TEST(ParsedFlags, TakesTwoValuesForTheVideoSize) {
  EXPECT_THAT(*parse({"--video-size", "720", "1280"}).pair("--video-size"),
              ElementsAre("720", "1280"));
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--video-size", "720"}, {"--video-size", "720", "--steps", "3"}}) {
    EXPECT_EQ(refusal(words), "generate: --video-size: wants two values: got 720, want H W");
  }
}

TEST(ParsedFlags, TakesSaveLatentsWithOrWithoutAFile) {
  const ParsedFlags bare = parse({"--save-latents", "--steps", "3"});
  EXPECT_TRUE(bare.has("--save-latents"));
  EXPECT_EQ(bare.text("--save-latents"), std::nullopt);
  EXPECT_TRUE(parse({"--save-latents"}).has("--save-latents"));
  EXPECT_EQ(parse({"--save-latents", "l.safetensors"}).text("--save-latents"), "l.safetensors");
}

TEST(ParsedFlags, SuggestsTheNearestFlag) {
  EXPECT_EQ(refusal({"--stpes", "4"}), "generate: --stpes: unknown flag; did you mean --steps?");
  EXPECT_EQ(refusal({"--num_frames=5"}),
            "generate: --num_frames: unknown flag; did you mean --num-frames?");
  EXPECT_EQ(refusal({"--zzzzzz"}), "generate: --zzzzzz: unknown flag; see --help");
}

TEST(ParsedFlags, RefusesFlagsOfLaterVersionsInsteadOfIgnoringThem) {
  for (const std::string words : {"--density-maps d"}) {
    const size_t space = words.find(' ');
    std::vector<std::string> given = {words.substr(0, space)};
    if (space != std::string::npos) given.push_back(words.substr(space + 1));
    EXPECT_EQ(refusal(given), "generate: " + given[0] + ": not in this version");
  }
}

TEST(ParsedFlags, TellsAllProblemsAtOnce) {
  EXPECT_EQ(refusal({"--density-maps", "d", "--stpes", "4", "--tau", "0.9", "--threshold", "0.8"}),
            "generate: 3 problems\n"
            "  --tau: came more than once\n"
            "  --density-maps: not in this version\n"
            "  --stpes: unknown flag; did you mean --steps?");
  EXPECT_EQ(refusal({"cat.mp4"}),
            "generate: unexpected argument: got cat.mp4, want a flag before it");
  EXPECT_THAT(refusal({"--steps"}), HasSubstr("--steps"));
}

TEST(ParsedFlags, KnowsTheFlagsOfItsCommandOnly) {
  EXPECT_THAT(refusal({"--causal"}), HasSubstr("--causal: unknown flag"));
  EXPECT_THAT(testing::error_of<ConfigError>(
                  [] { parse_flags(command("probe"), {"dit", "--prompt", "x"}, 1); }),
              HasSubstr("probe: --prompt: unknown flag"));
  EXPECT_THROW(parse({}).has("--causal"), ShapeError) << "asking for it is a bug of ours";
}

TEST(CommandHelp, NamesEveryFlagThatWorksAndNoOther) {
  for (const char* name : {"generate", "probe", "inspect"}) {
    const std::string help = command_help(command(name));
    EXPECT_THAT(help, HasSubstr("example: sparsereel " + std::string(name)));
    for (const auto& flag : flags_of(static_cast<Command>(command(name).command))) {
      for (const auto& spelling : flag.all_names()) {
        if (flag.later) {
          EXPECT_THAT(help, Not(HasSubstr(spelling + " "))) << name;
        } else {
          EXPECT_THAT(help, HasSubstr(spelling)) << name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace reel::app
