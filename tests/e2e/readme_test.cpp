// The examples of README.md and docs/CLI.md, as they are written there, in a folder that looks like
// a built checkout.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdlib>
#include <sstream>

#include "tests/support/program.h"

namespace reel::testing {
namespace {

namespace fs = std::filesystem;

// The first block of shell commands at or after `start`; moves `start` behind it.
std::string next_block(const std::string& page, size_t& start) {
  const size_t block = page.find("```sh\n", start);
  const size_t end = page.find("```\n", block + 6);
  if (block == std::string::npos || end == std::string::npos) return {};
  start = end;
  return page.substr(block + 6, end - block - 6);
}

// The first block below a heading.
std::string example_below(const std::string& heading) {
  const std::string readme = read_bytes("README.md");
  size_t start = readme.find("\n## " + heading + "\n");
  return start == std::string::npos ? std::string() : next_block(readme, start);
}

void expect_runs(const std::string& example) {
  const TempFolder folder;
  for (const char* name : {"models", "tests", "prompts"}) {
    fs::create_directory_symlink(fs::absolute(name), folder / name);
  }
  fs::create_directories(folder / "build/release");
  fs::create_directory_symlink(program_file().parent_path(), folder / "build/release/bin");
  const fs::path script = folder.write("example.sh", "set -eu\n" + example);
  const std::string command =
      "cd '" + folder.path().string() + "' && bash '" + script.string() + "' > log 2>&1";
  const int status = std::system(command.c_str());
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
      << example << read_bytes(folder / "log");
}

class Readme : public ::testing::TestWithParam<const char*> {};

TEST_P(Readme, ExampleRuns) {
  const std::string example = example_below(GetParam());
  ASSERT_FALSE(example.empty());
  expect_runs(example);
}

INSTANTIATE_TEST_SUITE_P(Sections, Readme,
                         ::testing::Values("Many clips", "Comparing", "Going on and making again",
                                           "VBench", "Other selections", "Sweeps"),
                         [](const auto& section) {
                           std::string name = section.param;
                           std::erase(name, ' ');
                           return name;
                         });

std::vector<std::string> blocks_of_cli() {
  const std::string page = read_bytes("docs/CLI.md");
  std::vector<std::string> blocks;
  size_t start = 0;
  while (true) {
    std::string block = next_block(page, start);
    if (block.empty()) return blocks;
    blocks.push_back(std::move(block));
  }
}

// Test cases are named when the tests are listed, wherever that is: numbers, not headings. The
// first block is what all begin with.
constexpr int kCliExamples = 11;

class CliPage : public ::testing::TestWithParam<int> {};

TEST_P(CliPage, ExampleRuns) {
  const auto blocks = blocks_of_cli();
  ASSERT_EQ(blocks.size(), kCliExamples + 1) << "examples came or went: change kCliExamples";
  expect_runs(blocks[0] + blocks[static_cast<size_t>(GetParam())]);
}

INSTANTIATE_TEST_SUITE_P(Blocks, CliPage, ::testing::Range(1, kCliExamples + 1));

// "  NAME  what it does", a line a command.
std::vector<std::string> commands_of_help() {
  std::istringstream lines(run_program({"--help"}).out);
  std::vector<std::string> names;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  ")) names.push_back(line.substr(2, line.find("  ", 2) - 2));
  }
  return names;
}

TEST(CliPageText, TellsOfEveryCommand) {
  const std::string page = read_bytes("docs/CLI.md");
  const auto names = commands_of_help();
  EXPECT_THAT(names, ::testing::Contains("generate"));
  for (const std::string& name : names) {
    const bool told = page.find("`" + name + "`") != std::string::npos ||
                      page.find("sparsereel " + name) != std::string::npos;
    EXPECT_TRUE(told) << name;
  }
}

}  // namespace
}  // namespace reel::testing
