#include "vbench/prompt_set.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/compare.h"
#include "tests/support/temp_folder.h"
#include "vbench/protocol.h"

namespace reel::vbench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::vector<Entry> small_list() {
  Problems problems;
  auto entries = read_info(testing::data_file("vbench/info.json"), problems);
  EXPECT_TRUE(problems.empty()) << problems.text("info");
  return entries;
}

Entry entry(int64_t number, const std::string& prompt, std::vector<std::string> dimensions) {
  return {
      .number = number, .prompt = prompt, .long_prompt = {}, .dimensions = std::move(dimensions)};
}

TEST(PromptSet, ReadsTheSchemaOfVBench) {
  const auto entries = small_list();
  ASSERT_THAT(entries, SizeIs(3));
  EXPECT_EQ(entries[1].prompt, "A quiet façade at dusk, static camera.");
  EXPECT_THAT(entries[0].dimensions,
              ElementsAre("subject_consistency", "motion_smoothness", "dynamic_degree"));
}

TEST(PromptSet, TellsAllThatIsWrongWithAList) {
  const testing::TempFolder folder;
  Problems problems;
  read_info(
      folder.write("a.json", R"([{"prompt_en": "a", "dimension": ["colour"]}, {"prompt": 1}])"),
      problems);
  read_info(folder.write("b.json", "{}"), problems);
  EXPECT_THAT(problems.lines(),
              ElementsAre(HasSubstr("a.json: /0: /dimension: unknown dimension: got \"colour\""),
                          HasSubstr("a.json: /1: not an entry"),
                          HasSubstr("b.json: not a list of prompts")));
}

TEST(PromptSet, KeepsEveryByteOfAName) {
  EXPECT_EQ(video_name("A quiet façade.", 4), "A quiet façade.-4.mp4");
}

TEST(PromptSet, TakesTwentyFiveOfFlickeringWhereThatIsNamed) {
  Problems problems;
  const auto all = select_prompts(small_list(), {}, problems);
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[1].samples, 5);
  const auto named =
      select_prompts(small_list(), {.dimensions = {"temporal_flickering"}}, problems);
  ASSERT_THAT(named, SizeIs(1));
  EXPECT_EQ(named[0].samples, 25);
  const auto asked = select_prompts(small_list(), {.samples = 1, .flicker_samples = 7}, problems);
  EXPECT_EQ(asked[0].samples, 1);
  EXPECT_EQ(asked[1].samples, 7);
  EXPECT_TRUE(problems.empty());
}

TEST(PromptSet, TakesEveryKthOfTheChosenDimensions) {
  std::vector<Entry> entries;
  for (int i = 0; i < 10; ++i) {
    entries.push_back(entry(i + 1, fmt::format("p{}", i), {i % 2 == 0 ? "color" : "scene"}));
  }
  Problems problems;
  const auto prompts = select_prompts(entries, {.dimensions = {"color"}, .every = 2}, problems);
  ASSERT_THAT(prompts, SizeIs(3));
  EXPECT_EQ(prompts[0].entry.prompt, "p0");
  EXPECT_EQ(prompts[1].entry.prompt, "p4");
  EXPECT_EQ(prompts[2].entry.prompt, "p8");
}

TEST(PromptSet, MakesOneOfEqualPrompts) {
  Problems problems;
  const auto prompts = select_prompts(
      {entry(1, "a", {"color"}), entry(2, "a", {"scene"}), entry(3, "b", {"color"})}, {}, problems);
  ASSERT_THAT(prompts, SizeIs(2));
  EXPECT_THAT(prompts[0].entry.dimensions, ElementsAre("color", "scene"));
}

TEST(PromptSet, RefusesNamesThatFilesCannotHave) {
  Problems problems;
  select_prompts({entry(1, std::string(250, 'x'), {"color"}), entry(2, "a/b", {"color"}),
                  entry(3, std::string(249, 'y'), {"color"})},
                 {}, problems);
  EXPECT_THAT(problems.lines(),
              ElementsAre(HasSubstr("entry 1: the video's name would be too long: got 256 bytes"),
                          HasSubstr("entry 2: the prompt cannot be in a file name: got a/b")));
}

TEST(PromptSet, RefusesUnknownDimensionsWithTheNearest) {
  Problems problems;
  select_prompts(small_list(), {.dimensions = {"dynamic_degre"}}, problems);
  EXPECT_THAT(problems.lines(),
              ElementsAre("--dimension: unknown dimension: got dynamic_degre; did you mean "
                          "dynamic_degree?"));
}

TEST(PromptSet, PairsLongPromptsByLine) {
  const testing::TempFolder folder;
  auto entries = small_list();
  Problems problems;
  read_long_prompts(folder.write("long.txt", "first \nsecond\nthird"), entries, problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(entries[0].long_prompt, "first");
  EXPECT_EQ(entries[2].long_prompt, "third");
  read_long_prompts(folder.write("more.txt", "1\n2\n3\n\n"), entries, problems);
  EXPECT_TRUE(problems.empty()) << "a final newline and one empty line are no prompts";
  read_long_prompts(folder.write("less.txt", "1\n2\n"), entries, problems);
  EXPECT_THAT(problems.lines(), ElementsAre(HasSubstr("got 2 lines, want 3")));
}

TEST(PromptSet, WritesJobsWithNamesAndSeedsOfTheProtocol) {
  Prompt prompt{.entry = entry(7, "a cat", {"color"}), .samples = 2};
  prompt.entry.long_prompt = "a long cat";
  EXPECT_EQ(job_line(prompt, 42).dump(),
            R"({"output":"{prompt}-{index}.mp4","prompt":"a cat","prompt_rewritten":"a long cat",)"
            R"("seeds":[42,43],"tags":{"vbench":{"dimensions":["color"],"entry":7}}})");
}

}  // namespace
}  // namespace reel::vbench
