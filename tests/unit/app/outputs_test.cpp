// Names and places of results, before there are any.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "app/output_names.h"
#include "app/output_plan.h"
#include "core/error.h"
#include "tests/support/temp_folder.h"

namespace reel::app {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const NameFields kFields = {{"prompt", "A caf\xc3\xa9. End."}, {"index", "3"}, {"seed", "42"}};

std::string filled(const std::string& name, std::vector<std::string>* lines = nullptr) {
  Problems problems;
  const std::string text = fill_template("--output", name, kFields, problems);
  if (lines != nullptr) {
    *lines = problems.lines();
  } else {
    EXPECT_THAT(problems.lines(), IsEmpty());
  }
  return text;
}

std::vector<std::string> refusals(const std::string& name) {
  std::vector<std::string> lines;
  filled(name, &lines);
  return lines;
}

TEST(OutputNames, PutFieldsInWithoutChangingThem) {
  EXPECT_EQ(filled("{prompt}-{index}.mp4"), "A caf\xc3\xa9. End.-3.mp4");
  EXPECT_EQ(filled("out/{{{seed}}}.mp4"), "out/{42}.mp4");
  EXPECT_EQ(filled("plain.mp4"), "plain.mp4");
  EXPECT_TRUE(is_template("{seed}.mp4"));
  EXPECT_FALSE(is_template("{{seed}}.mp4"));
}

TEST(OutputNames, RefuseUnknownFieldsAndLonelyBraces) {
  EXPECT_THAT(refusals("{sead}.mp4"),
              ElementsAre("--output: unknown field: got {sead}, want {seed}"));
  EXPECT_THAT(refusals("{colour}.mp4"), ElementsAre(HasSubstr("want id, prompt, seed, index")));
  EXPECT_THAT(refusals("{seed.mp4"), ElementsAre(HasSubstr("brace without its partner")));
  EXPECT_THAT(refusals("seed}.mp4"), ElementsAre(HasSubstr("brace without its partner")));
}

TEST(OutputNames, RefuseAPromptThatIsNoFileName) {
  for (const std::string prompt : {"a/b", "two\nlines", "nul\x01"}) {
    Problems problems;
    fill_template("--output", "{prompt}.mp4", {{"prompt", prompt}}, problems);
    EXPECT_THAT(problems.lines(), ElementsAre(HasSubstr("{prompt} cannot be in a file name")));
  }
}

pipeline::GenerationRequest request(size_t num_clips) {
  pipeline::GenerationRequest request;
  request.prompt = "a cat";
  request.frame_rate = "24";
  for (size_t i = 0; i < num_clips; ++i) request.seeds.push_back(40 + i);
  return request;
}

OutputPlan planned(const OutputOptions& options, size_t num_clips = 1) {
  Problems problems;
  auto plan = plan_outputs(options, request(num_clips), problems);
  EXPECT_THAT(problems.lines(), IsEmpty());
  return plan;
}

std::vector<std::string> plan_problems(const OutputOptions& options, size_t num_clips = 1) {
  Problems problems;
  plan_outputs(options, request(num_clips), problems);
  return problems.lines();
}

std::vector<std::string> place_problems(const OutputOptions& options) {
  Problems problems;
  check_outputs(planned(options), problems);
  return problems.lines();
}

TEST(OutputPlan, NamesTheVideoByRequestAndSeedByDefault) {
  const OutputPlan plan = planned({});
  ASSERT_EQ(plan.clips.size(), 1U);
  EXPECT_EQ(plan.clips[0].video.parent_path(), "out");
  EXPECT_THAT(plan.clips[0].video.filename().string(),
              ::testing::MatchesRegex("[0-9a-f]+_s40.mp4"));
  EXPECT_EQ(plan.clips[0].sidecar, std::nullopt);
  EXPECT_THAT(plan.folders, ElementsAre("out"));
}

TEST(OutputPlan, PutsASidecarIntoMetaWithAnOutputFolderOnly) {
  EXPECT_EQ(planned({.output = "clip.mp4"}).clips[0].sidecar, std::nullopt);
  const OutputPlan plan = planned({.output = "{prompt}-{index}.mp4", .output_dir = "runs"}, 2);
  EXPECT_EQ(plan.clips[1].video, "runs/a cat-1.mp4");
  EXPECT_EQ(plan.clips[1].sidecar, "runs/meta/a cat-1.json");
}

TEST(OutputPlan, ListsEverythingThatIsAskedFor) {
  const OutputPlan plan = planned({.output = "c.mp4",
                                   .frames_png = "png",
                                   .save_latents = true,
                                   .density_json = "d.json",
                                   .perf_json = "p.json",
                                   .recall_json = "r.json"});
  EXPECT_THAT(plan.files(),
              ElementsAre("c.mp4", "c.latents.safetensors", "png", "d.json", "p.json", "r.json"));
  EXPECT_EQ(planned({.output = "c.mp4", .save_latents = true, .latents_file = "x.safetensors"})
                .files()[1],
            "x.safetensors");
}

TEST(OutputPlan, RefusesOneNameForTwoResults) {
  EXPECT_THAT(plan_problems({.output = "clip.mp4"}, 2),
              ElementsAre(HasSubstr("two results want one name: got clip.mp4, want a template")));
  EXPECT_THAT(plan_problems({.output = "{seed}.mp4", .perf_json = "p.json"}, 2),
              ElementsAre(HasSubstr("got p.json")));
  EXPECT_THAT(plan_problems({.output = "c.mp4", .density_json = "x", .perf_json = "./x"}),
              ElementsAre(HasSubstr("got ./x")));
  EXPECT_THAT(plan_problems({.output = "{seed}.mp4"}, 2), IsEmpty());
}

TEST(OutputPlan, RefusesNamesThatAreNoMp4File) {
  EXPECT_THAT(plan_problems({.output = "clip.avi"}),
              ElementsAre(HasSubstr("--output: not an MP4 name: got clip.avi")));
  EXPECT_THAT(plan_problems({.output = "out/"}), ElementsAre(HasSubstr("--output: is a folder")));
  EXPECT_THAT(plan_problems({.output = "/tmp/a.mp4", .output_dir = "out"}),
              ElementsAre(HasSubstr("absolute path beside --output-dir")));
  EXPECT_THAT(plan_problems({.output = "CLIP.MP4"}), IsEmpty());
}

TEST(OutputPlan, FindsBeforeTheWorkWhatCannotBeWritten) {
  const testing::TempFolder folder;
  const std::string there = folder.write("there.mp4", "x");
  std::string long_name = "x.mp4";
  long_name.insert(0, 255, 'x');
  EXPECT_THAT(place_problems({.output = there}), ElementsAre(HasSubstr("is there already")));
  EXPECT_THAT(place_problems({.output = there, .overwrite = true}), IsEmpty());
  EXPECT_THAT(place_problems({.output = folder / "no" / "c.mp4"}),
              ElementsAre(HasSubstr("its folder does not exist")));
  EXPECT_THAT(place_problems({.output = folder / long_name}),
              ElementsAre(HasSubstr("file name too long")));
  EXPECT_THAT(place_problems({.output_dir = there}), ElementsAre(HasSubstr("is not a folder")));
  EXPECT_THAT(place_problems({.output = folder / "c.mp4", .perf_json = there}),
              ElementsAre(HasSubstr("there.mp4: is there already")));
  EXPECT_THAT(place_problems({.output_dir = folder / "new"}), IsEmpty());
  EXPECT_THAT(folder.names(), ElementsAre("there.mp4")) << "looking leaves no trace";
}

}  // namespace
}  // namespace reel::app
