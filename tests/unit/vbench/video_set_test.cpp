#include "vbench/video_set.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/mp4_writer.h"
#include "tests/support/temp_folder.h"
#include "vbench/protocol.h"

namespace reel::vbench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VideoSet : public ::testing::Test {
 protected:
  void write(const std::string& name, int64_t frames = 5, const std::string& rate = "24") {
    media::Mp4Writer writer(folder_ / name, IfExists::kReplace,
                            {.width = 16, .height = 16, .rate = media::parse_frame_rate(rate)},
                            media::plan_encoder({.preset = "ultrafast"}, 16, 16));
    writer.write(at::full({frames, 16, 16, 3}, 100, at::kByte));
    writer.finish();
  }

  SetCheck check() { return check_videos(folder_.path(), wanted_); }

  testing::TempFolder folder_;
  std::vector<WantedVideo> wanted_ = {
      {.name = "a-0.mp4", .dimensions = {"color"}, .frames = 5, .frame_rate = "24"},
      {.name = "b-0.mp4", .dimensions = {"color", "scene"}, .frames = 5, .frame_rate = "24"}};
};

TEST_F(VideoSet, IsCompleteWithEveryVideoAndNothingElse) {
  write("a-0.mp4");
  write("b-0.mp4");
  const auto found = check();
  EXPECT_TRUE(found.complete());
  EXPECT_EQ(found.by_dimension.at("color").good, 2u);
  EXPECT_EQ(found.by_dimension.at("scene").wanted, 1u);
  EXPECT_NEAR(found.longest_s, 5.0 / 24, 1e-3);
}

TEST_F(VideoSet, TellsMissingBrokenAndWrongVideosApart) {
  wanted_.push_back({.name = "c-0.mp4", .dimensions = {}, .frames = 5, .frame_rate = "24"});
  wanted_.push_back({.name = "d-0.mp4", .dimensions = {}, .frames = 5, .frame_rate = "24"});
  write("a-0.mp4", 9);
  write("b-0.mp4", 5, "25");
  write("c-0.mp4");
  std::filesystem::resize_file(folder_ / "c-0.mp4",
                               std::filesystem::file_size(folder_ / "c-0.mp4") / 2);
  const auto found = check();
  EXPECT_FALSE(found.complete());
  EXPECT_THAT(found.missing, ElementsAre("d-0.mp4"));
  ASSERT_EQ(found.broken.size(), 1u);
  EXPECT_EQ(found.broken[0].name, "c-0.mp4");
  ASSERT_EQ(found.wrong.size(), 2u);
  EXPECT_EQ(found.wrong[0].what, "9 frames, want 5");
  EXPECT_EQ(found.wrong[1].what, "25 frames a second, want 24");
  EXPECT_EQ(found.by_dimension.at("color").good, 0u);
}

TEST_F(VideoSet, FindsTheOneThatDiffersWhereNoLengthIsNamed) {
  for (auto& video : wanted_) video.frames = 0;
  for (auto& video : wanted_) video.frame_rate.clear();
  wanted_.push_back({.name = "c-0.mp4", .dimensions = {}, .frames = 0, .frame_rate = {}});
  write("a-0.mp4");
  write("b-0.mp4");
  write("c-0.mp4", 6);
  const auto found = check();
  ASSERT_EQ(found.wrong.size(), 1u);
  EXPECT_EQ(found.wrong[0].name, "c-0.mp4");
}

TEST_F(VideoSet, FindsWhatWouldBreakTheMatching) {
  write("a-0.mp4");
  write("b-0.mp4");
  write("other.mp4");
  folder_.write(".hidden", "x");
  folder_.write("meta/a.json", "x");
  const auto found = check();
  EXPECT_FALSE(found.complete());
  EXPECT_THAT(found.missing, IsEmpty());
  ASSERT_EQ(found.stray.size(), 3u);
  EXPECT_EQ(found.stray[0].name, ".hidden");
  EXPECT_TRUE(found.stray[0].harmful);
  EXPECT_TRUE(found.stray[1].harmful);
  EXPECT_FALSE(found.stray[2].harmful);
}

TEST_F(VideoSet, ReturnsThroughItsFile) {
  const auto file = folder_.write("vbench.json", to_json(wanted_).dump());
  const auto back = read_wanted(file);
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[1].name, "b-0.mp4");
  EXPECT_THAT(back[1].dimensions, ElementsAre("color", "scene"));
  EXPECT_EQ(back[1].frames, 5);
}

TEST(LengthRule, SendsFiveSecondsToVBenchLong) {
  EXPECT_THAT(length_rule(117.0 / 24), HasSubstr("4.875 s is below 5.0 s"));
  EXPECT_THAT(length_rule(5.0), HasSubstr("VBench-Long"));
  EXPECT_THAT(length_rule(129.0 / 24), HasSubstr("5.375 s is 5.0 s or more"));
}

}  // namespace
}  // namespace reel::vbench
