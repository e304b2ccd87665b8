#include "eval/video_pairs.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "core/error.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/media/test_video.h"

namespace reel::eval {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class VideoPairs : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const at::Tensor& frames,
                              media::FrameRate rate = {24, 1}) {
    const auto file = folder_.path() / name;
    std::filesystem::create_directories(file.parent_path());
    media::write_video(file, frames, {.pix_fmt = "rgb24", .lossless = true}, rate);
    return file;
  }

  testing::TempFolder folder_;
};

TEST_F(VideoPairs, AreComparedFrameByFrame) {
  const at::Tensor frames = media::moving_gradient(5, 32, 48);
  at::Tensor other = frames.clone();
  other[3].bitwise_xor_(1);
  const auto a = write("a.mp4", frames);
  const auto b = write("b.mp4", other);

  const auto metrics = compare_videos(pair_videos(a, b).front());

  ASSERT_EQ(metrics.psnr.size(), 5);
  EXPECT_TRUE(std::isinf(metrics.psnr[2]));
  EXPECT_NEAR(metrics.psnr[3], 20 * std::log10(255.0), 1e-9);
  EXPECT_LT(metrics.ssim[3], 1.0);
}

TEST_F(VideoPairs, OfFoldersGoByName) {
  const at::Tensor frames = media::flat_frames(1, 32, 32, 10, 20, 30);
  for (const char* name : {"a/one.mp4", "a/two.mp4", "b/two.mp4", "b/one.mp4"}) write(name, frames);
  std::ofstream(folder_.path() / "a/notes.txt") << "no video";

  const auto pairs = pair_videos(folder_.path() / "a", folder_.path() / "b");

  ASSERT_EQ(pairs.size(), 2);
  EXPECT_EQ(pairs[0].name, "one.mp4");
  EXPECT_EQ(pairs[0].reference, folder_.path() / "a/one.mp4");
  EXPECT_EQ(pairs[1].video, folder_.path() / "b/two.mp4");
}

TEST_F(VideoPairs, TellEveryNameThatOneFolderLacks) {
  const at::Tensor frames = media::flat_frames(1, 32, 32, 1, 2, 3);
  for (const char* name : {"a/one.mp4", "a/two.mp4", "b/two.mp4", "b/six.mp4"}) write(name, frames);
  const auto error = testing::error_of<ConfigError>(
      [&] { pair_videos(folder_.path() / "a", folder_.path() / "b"); });
  EXPECT_THAT(error, AllOf(HasSubstr("one.mp4: not in"), HasSubstr("six.mp4: not in"),
                           Not(HasSubstr("two.mp4"))));
}

TEST_F(VideoPairs, RefuseMissingPathsFileWithFolderAndEmptyFolders) {
  const auto file = write("a.mp4", media::flat_frames(1, 32, 32, 1, 2, 3));
  std::filesystem::create_directory(folder_.path() / "empty");
  const auto error = [&](const std::string& a, const std::string& b) {
    return testing::error_of<ConfigError>(
        [&] { pair_videos(folder_.path() / a, folder_.path() / b); });
  };
  EXPECT_THAT(error("a.mp4", "none.mp4"), HasSubstr("none.mp4: does not exist"));
  EXPECT_THAT(error("a.mp4", "empty"), HasSubstr("a file and a folder"));
  EXPECT_THAT(error("empty", "empty"), HasSubstr("holds no .mp4 file"));
}

TEST_F(VideoPairs, RefuseAnotherSizeRateOrLength) {
  const auto reference = write("a.mp4", media::flat_frames(3, 32, 32, 1, 2, 3));
  const auto error = [&](const std::filesystem::path& video) {
    return testing::error_of<ConfigError>([&] { compare_videos({"x", reference, video}); });
  };
  EXPECT_THAT(error(write("wide.mp4", media::flat_frames(3, 32, 48, 1, 2, 3))),
              HasSubstr("got 48x32 at 24 frames a second, want 32x32"));
  EXPECT_THAT(error(write("slow.mp4", media::flat_frames(3, 32, 32, 1, 2, 3), {12, 1})),
              HasSubstr("at 12 frames a second"));
  EXPECT_THAT(error(write("short.mp4", media::flat_frames(2, 32, 32, 1, 2, 3))),
              HasSubstr("the video ends after 2 frames"));
  EXPECT_THAT(error(write("long.mp4", media::flat_frames(4, 32, 32, 1, 2, 3))),
              HasSubstr("the reference ends after 3 frames"));
}

}  // namespace
}  // namespace reel::eval
