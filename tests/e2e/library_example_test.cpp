// examples/render_clip.cpp, as built.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/frame_reader.h"
#include "tests/support/program.h"
#include "tests/support/temp_folder.h"

namespace reel::pipeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

testing::ProgramRun run_example(const std::vector<std::string>& arguments) {
  const auto file = testing::program_file().parent_path() / "render_clip";
  return testing::Program(arguments, file).wait();
}

TEST(Example, RendersAClipOfTheBundledModel) {
  const testing::TempFolder folder;
  const std::string file = folder.path() / "clip.mp4";

  const auto run =
      run_example({"models/demo", "A red star sways at night.", file, "128", "128", "9", "2"});

  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, file + "\n");
  EXPECT_THAT(run.err, AllOf(HasSubstr("load transformer\n"), HasSubstr("step 2 of 2\n")));
  EXPECT_EQ(media::read_frames(file).sizes(), at::IntArrayRef({9, 128, 128, 3}));
}

TEST(Example, SaysWhatIsWrongWithARequest) {
  const testing::TempFolder folder;
  const auto run = run_example(
      {"models/demo", "A red star.", folder.path() / "clip.mp4", "100", "128", "9", "2"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("please mend: request: --width: not a multiple of 16: got 100"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace reel::pipeline
