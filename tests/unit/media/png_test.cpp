#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "media/frame_reader.h"
#include "media/mp4_writer.h"
#include "media/png_codec.h"
#include "media/png_sequence_writer.h"
#include "media/tee_sink.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/media/test_video.h"

namespace reel::media {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TempFolder;

TEST(Png, ReturnsEveryPixelExactly) {
  TempFolder folder;
  for (const auto& [height, width] : {std::pair{1, 1}, {3, 5}, {64, 48}, {33, 127}}) {
    const at::Tensor pixels = at::randint(0, 256, {height, width, 3}, at::kByte);
    testing::write_bytes(folder / "a.png", encode_png(pixels));
    const at::Tensor back = read_frames(folder / "a.png");
    ASSERT_EQ(back.sizes(), (at::IntArrayRef{1, height, width, 3}));
    EXPECT_EQ(max_difference(back[0], pixels), 0);
  }
}

TEST(Png, RefusesOtherTensors) {
  EXPECT_THAT(error_of<ShapeError>([] { encode_png(at::zeros({4, 4, 4}, at::kByte)); }),
              HasSubstr("wrong shape: got [4, 4, 4]"));
}

TEST(PngSequence, NumbersFramesOverAllChunks) {
  TempFolder folder;
  const at::Tensor frames = moving_gradient(3, 8, 12);
  PngSequenceWriter writer(folder / "frames", IfExists::kRefuse);
  writer.write(frames.slice(0, 0, 1));
  writer.write(frames.slice(0, 1, 3));
  EXPECT_FALSE(fs::exists(folder / "frames"));
  writer.finish();
  EXPECT_THAT(folder.names(),
              ElementsAre("frames", "frames/000000.png", "frames/000001.png", "frames/000002.png"));
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(max_difference(read_frames(folder / "frames" / frame_file_name(i))[0], frames[i]), 0);
  }
}

TEST(PngSequence, LeavesNothingWithoutFinish) {
  TempFolder folder;
  fs::create_directory(folder / "place");
  {
    PngSequenceWriter writer(folder / "place" / "frames", IfExists::kRefuse);
    writer.write(moving_gradient(2, 8, 8));
  }
  EXPECT_THAT(folder.names(), ElementsAre("place"));
}

TEST(PngSequence, AShorterSequenceReplacesALongerOneWhole) {
  TempFolder folder;
  for (const int64_t num_frames : {5, 2}) {
    PngSequenceWriter writer(folder / "frames", IfExists::kReplace);
    writer.write(moving_gradient(num_frames, 8, 8) + num_frames);
    writer.finish();
    testing::write_bytes(folder / "frames" / "notes", "kept");
  }
  EXPECT_THAT(folder.names(),
              ElementsAre("frames", "frames/000000.png", "frames/000001.png", "frames/notes"));
  EXPECT_EQ(max_difference(read_frames(folder / "frames" / "000001.png")[0],
                           moving_gradient(2, 8, 8)[1] + 2),
            0);
}

TEST(PngSequence, RefusesAFolderWithFiles) {
  TempFolder folder;
  fs::create_directory(folder / "frames");
  testing::write_bytes(folder / "frames" / "000000.png", "old");
  EXPECT_THAT(
      error_of<ConfigError>([&] { PngSequenceWriter(folder / "frames", IfExists::kRefuse); }),
      HasSubstr("not empty"));
}

TEST(PngSequence, NoFramesAreAnError) {
  TempFolder folder;
  PngSequenceWriter writer(folder / "frames", IfExists::kRefuse);
  EXPECT_THAT(error_of<OutputError>([&] { writer.finish(); }), HasSubstr("no frames"));
}

TEST(FrameFileName, HasAtLeastSixDigits) {
  EXPECT_EQ(frame_file_name(0), "000000.png");
  EXPECT_EQ(frame_file_name(128), "000128.png");
  EXPECT_EQ(frame_file_name(1'234'567), "1234567.png");
}

TEST(TeeSink, GivesEverySinkTheSameFrames) {
  TempFolder folder;
  const at::Tensor frames = moving_gradient(3, 16, 16);
  Mp4Writer video(folder / "clip.mp4", IfExists::kRefuse, {16, 16, {24, 1}},
                  plan_encoder({.pix_fmt = "rgb24", .lossless = true}, 16, 16));
  PngSequenceWriter pictures(folder / "frames", IfExists::kRefuse);
  TeeSink tee({&video, &pictures});
  tee.write(frames);
  tee.finish();
  EXPECT_EQ(max_difference(read_frames(folder / "clip.mp4"), frames), 0);
  EXPECT_EQ(max_difference(read_frames(folder / "frames" / "000002.png")[0], frames[2]), 0);
}

}  // namespace
}  // namespace reel::media
