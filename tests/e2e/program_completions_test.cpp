// Completion as shells do it: the printed script, loaded by a real shell.
#include <gmock/gmock.h>

#include <array>
#include <cstdio>

#include "tests/e2e/program_fixture.h"

namespace reel::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// What a shell command prints, stderr included; none if the shell is not installed.
std::string output_of(const std::string& command) {
  std::string text;
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return text;
  std::array<char, 4096> part{};
  while (const size_t size = fread(part.data(), 1, part.size(), pipe))
    text.append(part.data(), size);
  pclose(pipe);
  return text;
}

bool is_installed(const std::string& shell) {
  return !output_of("command -v " + shell).empty();
}

class ProgramCompletions : public ProgramTest {
 protected:
  std::string script(const std::string& shell) const {
    const auto run = run_program({"completions", shell});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return folder_.write("completions." + shell, run.out);
  }

  // The candidates that bash offers for the last of `words`.
  std::string bash(const std::string& words) const {
    return output_of("bash -c 'source " + script("bash") + "; COMP_WORDS=(" + words +
                     "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _sparsereel; "
                     "printf \"<%s>\" \"${COMPREPLY[@]}\"'");
  }

  // The same by fish's own command for it.
  std::string fish(const std::string& line) const {
    return output_of("HOME=" + folder_.path().string() + " fish --no-config -c 'source " +
                     script("fish") + "; complete -C \"" + line + "\"'");
  }
};

TEST_F(ProgramCompletions, BashOffersCommandsFlagsAndValues) {
  EXPECT_THAT(bash("sparsereel gen"), HasSubstr("<generate>"));
  EXPECT_THAT(bash("sparsereel vbench \"\""), AllOf(HasSubstr("<prepare>"), HasSubstr("<score>")));
  EXPECT_EQ(bash("sparsereel generate --dense-st"), "<--dense-steps>");
  EXPECT_THAT(bash("sparsereel generate --attn \"\""), HasSubstr("<dense><xattn><reference>"));
  EXPECT_THAT(bash("sparsereel inspect --"), AllOf(HasSubstr("<--json>"), Not(HasSubstr("--tau"))));
  EXPECT_EQ(bash("sparsereel generate --model model"), "<models>");
  EXPECT_EQ(bash("sparsereel vbench check --inf"), "<--info>");
}

TEST_F(ProgramCompletions, FishOffersCommandsFlagsAndValues) {
  if (!is_installed("fish")) GTEST_SKIP() << "no fish here";
  EXPECT_THAT(fish("sparsereel gen"), HasSubstr("generate\tRender a prompt"));
  EXPECT_THAT(fish("sparsereel vbench "), AllOf(HasSubstr("prepare"), HasSubstr("score")));
  EXPECT_THAT(fish("sparsereel generate --dense-st"), HasSubstr("--dense-steps"));
  EXPECT_THAT(fish("sparsereel generate --attn "), AllOf(HasSubstr("dense"), HasSubstr("xattn")));
  EXPECT_THAT(fish("sparsereel inspect --"), AllOf(HasSubstr("--json"), Not(HasSubstr("--tau"))));
}

TEST_F(ProgramCompletions, ZshLoadsItsScript) {
  if (!is_installed("zsh")) GTEST_SKIP() << "no zsh here";
  // compadd works inside a completion only: a function in its place shows what it was given.
  const std::string offers =
      output_of("zsh -f -c 'autoload -Uz compinit; compinit -D -u; source " + script("zsh") +
                "; compadd() { shift; print -r -- \"$@\"; }; "
                "words=(sparsereel generate --attn \"\") CURRENT=4 _sparsereel; "
                "words=(sparsereel inspect --) CURRENT=3 _sparsereel'");
  EXPECT_THAT(offers, AllOf(HasSubstr("dense xattn reference\n"), HasSubstr("--json"),
                            Not(HasSubstr("--tau"))));
}

TEST_F(ProgramCompletions, RefusesOtherShells) {
  expect_refused({"completions", "csh"}, 2, {"unknown shell: got csh, want bash, zsh or fish"});
  expect_refused({"completions"}, 2, {"unknown shell: got none"});
}

}  // namespace
}  // namespace reel::testing
