#include "media/mp4_writer.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "media/frame_reader.h"
#include "media/video_facts.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/media/test_video.h"

namespace reel::media {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TempFolder;

class Mp4WriterTest : public ::testing::Test {
 protected:
  TempFolder folder_;
  std::filesystem::path clip_ = folder_ / "clip.mp4";
};

struct Encoding {
  const char* name;
  EncoderOptions options;
  double least_psnr_db;
};

void PrintTo(const Encoding& encoding, std::ostream* stream) {
  *stream << encoding.name;
}

// The bounds are 2 dB below what the encoders gave when the test was written. A frame out of place
// or swapped planes fall below 30 dB.
class Encodings : public Mp4WriterTest, public ::testing::WithParamInterface<Encoding> {};

TEST_P(Encodings, ReturnEveryFrameInOrder) {
  const at::Tensor frames = moving_gradient(9, 64, 96);
  write_video(clip_, frames, GetParam().options);
  const at::Tensor back = read_frames(clip_);
  ASSERT_EQ(back.sizes(), frames.sizes());
  for (int64_t i = 0; i < frames.size(0); ++i) {
    EXPECT_GT(psnr_db(back[i], frames[i]), GetParam().least_psnr_db) << "frame " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Encodings,
    ::testing::Values(Encoding{"Default", {}, 40}, Encoding{"Crf0", {.crf = 0}, 49},
                      Encoding{"Yuv444", {.pix_fmt = "yuv444p"}, 39},
                      Encoding{"Fast", {.preset = "ultrafast"}, 41},
                      Encoding{"H265", {.codec = "h265", .preset = "ultrafast"}, 40},
                      Encoding{"Lossless", {.lossless = true}, 49}),
    [](const auto& encoding) { return std::string(encoding.param.name); });

TEST_F(Mp4WriterTest, LosslessRgbIsExact) {
  const at::Tensor noise = at::randint(0, 256, {5, 34, 50, 3}, at::kByte);
  write_video(clip_, noise, {.pix_fmt = "rgb24", .lossless = true});
  EXPECT_EQ(max_difference(read_frames(clip_), noise), 0);
}

TEST_F(Mp4WriterTest, TakesFramesInChunksOfAnySizeAndStride) {
  const at::Tensor frames = at::randint(0, 256, {7, 32, 32, 3}, at::kByte);
  const EncoderPlan plan = plan_encoder({.pix_fmt = "rgb24", .lossless = true}, 32, 32);
  Mp4Writer writer(clip_, IfExists::kRefuse, {32, 32, {24, 1}}, plan);
  writer.write(frames.slice(0, 0, 1));
  writer.write(frames.slice(0, 1, 1));
  const at::Tensor channels_first = frames.slice(0, 1, 5).permute({0, 3, 1, 2}).contiguous();
  writer.write(channels_first.permute({0, 2, 3, 1}));
  writer.write(frames.slice(0, 5, 7));
  writer.finish();
  EXPECT_EQ(max_difference(read_frames(clip_), frames), 0);
}

TEST_F(Mp4WriterTest, KeepsCountRateAndDurationExactly) {
  for (const FrameRate rate : {FrameRate{24, 1},
                               {8, 1},
                               {24000, 1001},
                               {30000, 1001},
                               {15, 2},
                               {2997, 125},
                               {60, 1},
                               {1, 2},
                               {1000, 1}}) {
    for (const int64_t num_frames : {1, 2, 33}) {
      write_video(clip_, moving_gradient(num_frames, 16, 32), {.preset = "medium"}, rate);
      const VideoFacts facts = read_video_facts(clip_);
      EXPECT_EQ(facts.num_frames, num_frames) << frame_rate_text(rate);
      EXPECT_EQ(facts.frame_rate, rate) << num_frames << " frames";
      EXPECT_NEAR(facts.duration_s, static_cast<double>(num_frames) / rate.fps(), 1e-9);
      EXPECT_EQ(read_frames(clip_).size(0), num_frames);
    }
  }
}

TEST_F(Mp4WriterTest, WritesOddSizesWhereColourIsWhole) {
  const at::Tensor frames = moving_gradient(3, 35, 51);
  write_video(clip_, frames, {.pix_fmt = "yuv444p"});
  const at::Tensor back = read_frames(clip_);
  ASSERT_EQ(back.sizes(), frames.sizes());
  EXPECT_GT(psnr_db(back, frames), 40);
}

TEST_F(Mp4WriterTest, RefusesFramesOfAnotherShapeOrType) {
  const EncoderPlan plan = plan_encoder({}, 32, 16);
  Mp4Writer writer(clip_, IfExists::kRefuse, {32, 16, {24, 1}}, plan);
  EXPECT_THAT(error_of<ShapeError>([&] { writer.write(moving_gradient(1, 32, 16)); }),
              HasSubstr("wrong shape: got [1, 32, 16, 3]"));
  EXPECT_THAT(error_of<ShapeError>([&] { writer.write(at::zeros({1, 16, 32, 3})); }),
              HasSubstr("wrong dtype"));
}

TEST_F(Mp4WriterTest, NoFramesAreNoVideo) {
  {
    Mp4Writer writer(clip_, IfExists::kRefuse, {32, 32, {24, 1}}, plan_encoder({}, 32, 32));
    EXPECT_THAT(error_of<OutputError>([&] { writer.finish(); }), HasSubstr("no frames"));
  }
  EXPECT_THAT(folder_.names(), IsEmpty());
}

TEST_F(Mp4WriterTest, NothingAppearsBeforeFinish) {
  {
    Mp4Writer writer(clip_, IfExists::kRefuse, {32, 32, {24, 1}}, plan_encoder({}, 32, 32));
    writer.write(moving_gradient(40, 32, 32));
    EXPECT_THAT(folder_.names(), IsEmpty());
  }
  EXPECT_THAT(folder_.names(), IsEmpty());
}

TEST_F(Mp4WriterTest, RefusesAnExistingFileUnlessReplacing) {
  testing::write_bytes(clip_, "old");
  const EncoderPlan plan = plan_encoder({}, 32, 32);
  const VideoFormat format{32, 32, {24, 1}};
  EXPECT_THAT(error_of<ConfigError>([&] { Mp4Writer(clip_, IfExists::kRefuse, format, plan); }),
              HasSubstr("is there already"));
  EXPECT_EQ(testing::read_bytes(clip_), "old");
  write_video(clip_, moving_gradient(2, 32, 32), {});
  EXPECT_EQ(read_video_facts(clip_).num_frames, 2);
  EXPECT_THAT(folder_.names(), ElementsAre("clip.mp4"));
}

TEST_F(Mp4WriterTest, AKilledWriterLeavesNoFile) {
  const pid_t child = fork();
  if (child == 0) {
    Mp4Writer writer(clip_, IfExists::kRefuse, {64, 64, {24, 1}}, plan_encoder({}, 64, 64));
    for (int i = 0; i < 100; ++i) writer.write(at::randint(0, 256, {1, 64, 64, 3}, at::kByte));
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_THAT(folder_.names(), IsEmpty());
}

TEST_F(Mp4WriterTest, AFullDiskIsAnIoErrorThatLeavesNothing) {
  const auto small = folder_ / "small";
  std::filesystem::create_directory(small);
  if (mount("tmpfs", small.c_str(), "tmpfs", 0, "size=512k") != 0) {
    GTEST_SKIP() << "cannot mount a small tmpfs here: " << std::strerror(errno);
  }
  // Noise that no encoder can shrink; the disk fills early or with the last frames.
  for (const int num_chunks : {20, 400}) {
    Mp4Writer writer(small / "clip.mp4", IfExists::kRefuse, {64, 64, {24, 1}},
                     plan_encoder({.crf = 0, .preset = "ultrafast"}, 64, 64));
    const auto text = error_of<IoError>([&] {
      for (int i = 0; i < num_chunks; ++i) {
        writer.write(at::randint(0, 256, {4, 64, 64, 3}, at::kByte));
      }
      writer.finish();
    });
    EXPECT_THAT(text, HasSubstr("clip.mp4: writing failed: No space left on device"));
  }
  EXPECT_THAT(folder_.names(), ElementsAre("small"));
  EXPECT_EQ(umount2(small.c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace reel::media
