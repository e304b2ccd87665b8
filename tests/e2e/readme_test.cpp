// The README's examples, as they are written there, in a folder that looks like a built checkout.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdlib>

#include "tests/support/program.h"

namespace reel::testing {
namespace {

namespace fs = std::filesystem;

// The first block of shell commands below a heading.
std::string example_below(const std::string& heading) {
  const std::string readme = read_bytes("README.md");
  const size_t start = readme.find("\n## " + heading + "\n");
  if (start == std::string::npos) return {};
  const size_t block = readme.find("```sh\n", start);
  const size_t end = readme.find("```\n", block + 6);
  if (block == std::string::npos || end == std::string::npos) return {};
  return readme.substr(block + 6, end - block - 6);
}

class Readme : public ::testing::TestWithParam<const char*> {};

TEST_P(Readme, ExampleRuns) {
  const std::string example = example_below(GetParam());
  ASSERT_FALSE(example.empty());
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
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << read_bytes(folder / "log");
}

INSTANTIATE_TEST_SUITE_P(Sections, Readme,
                         ::testing::Values("Many clips", "Comparing", "Going on and making again",
                                           "VBench", "Other selections", "Sweeps"),
                         [](const auto& section) {
                           std::string name = section.param;
                           std::erase(name, ' ');
                           return name;
                         });

}  // namespace
}  // namespace reel::testing
