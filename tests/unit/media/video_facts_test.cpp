#include "media/video_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "media/frame_reader.h"
#include "media/mp4_writer.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/media/test_video.h"

namespace reel::media {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::TempFolder;

TEST(VideoFacts, YuvIsTaggedLimitedBt709) {
  TempFolder folder;
  for (const auto* pix_fmt : {"yuv420p", "yuv444p"}) {
    write_video(folder / "clip.mp4", moving_gradient(3, 32, 48), {.pix_fmt = pix_fmt});
    const VideoFacts facts = read_video_facts(folder / "clip.mp4");
    EXPECT_EQ(facts.codec, "h264");
    EXPECT_EQ(facts.pix_fmt, pix_fmt);
    EXPECT_EQ(facts.width, 48);
    EXPECT_EQ(facts.height, 32);
    EXPECT_EQ(facts.colour_primaries, "bt709");
    EXPECT_EQ(facts.colour_transfer, "bt709");
    EXPECT_EQ(facts.colour_matrix, "bt709");
    EXPECT_EQ(facts.colour_range, "tv");
    if (facts.pix_fmt == "yuv420p") {
      EXPECT_EQ(facts.chroma_location, "left");
    }
  }
}

// Matroska's demuxer hands the tags on as they are; the sanitizers watch how they are read.
TEST(VideoFacts, ColoursThatNobodyKnowsAreUnknown) {
  TempFolder folder;
  std::string bytes = testing::read_bytes("tests/fuzz/corpus/video_facts/vp9.webm");
  for (const char* element : {"\x55\xb1\x81", "\x55\xba\x81", "\x55\xbb\x81"}) {
    const size_t place = bytes.find(element);
    ASSERT_NE(place, std::string::npos);
    bytes[place + 3] = 44;
  }
  testing::write_bytes(folder / "clip.webm", bytes);
  const VideoFacts facts = read_video_facts(folder / "clip.webm");
  EXPECT_EQ(facts.colour_primaries, "unknown");
  EXPECT_EQ(facts.colour_transfer, "unknown");
}

TEST(VideoFacts, SamplesThatAreOnlyClaimedTakeNoMemory) {
  TempFolder folder;
  std::string bytes = testing::read_bytes("tests/fuzz/corpus/video_facts/fragments.mp4");
  const size_t run = bytes.find("trun");
  ASSERT_NE(run, std::string::npos);
  bytes[run + 8] = 2;  // 32 million samples of 24 bytes each
  testing::write_bytes(folder / "clip.mp4", bytes);
  EXPECT_THAT(error_of<ConfigError>([&] { read_video_facts(folder / "clip.mp4"); }),
              HasSubstr("clip.mp4: cannot be read as a video: Cannot allocate memory"));
}

TEST(VideoFacts, H265IsTaggedToo) {
  TempFolder folder;
  write_video(folder / "clip.mp4", moving_gradient(3, 64, 64),
              {.codec = "h265", .preset = "ultrafast"});
  const VideoFacts facts = read_video_facts(folder / "clip.mp4");
  EXPECT_EQ(facts.codec, "hevc");
  EXPECT_EQ(facts.colour_matrix, "bt709");
  EXPECT_EQ(facts.colour_range, "tv");
  EXPECT_TRUE(facts.index_in_front);
}

TEST(VideoFacts, RgbHasNoMatrixAndFullRange) {
  TempFolder folder;
  write_video(folder / "clip.mp4", moving_gradient(3, 32, 48),
              {.pix_fmt = "rgb24", .lossless = true});
  const VideoFacts facts = read_video_facts(folder / "clip.mp4");
  EXPECT_EQ(facts.pix_fmt, "gbrp");
  EXPECT_EQ(facts.colour_matrix, "gbr");
  EXPECT_EQ(facts.colour_range, "pc");
  EXPECT_EQ(facts.colour_primaries, "bt709");
}

TEST(VideoFacts, TheIndexLiesBeforeThePictures) {
  TempFolder folder;
  write_video(folder / "clip.mp4", moving_gradient(30, 64, 64), {});
  std::vector<std::string> types;
  for (const auto& box : mp4_boxes(folder / "clip.mp4")) {
    if (box.type != "free") types.push_back(box.type);
  }
  EXPECT_THAT(types, ::testing::ElementsAre("ftyp", "moov", "mdat"));
  EXPECT_TRUE(read_video_facts(folder / "clip.mp4").index_in_front);
}

TEST(VideoFacts, TheContainerRepeatsTheColour) {  // for players that do not ask the stream
  TempFolder folder;
  write_video(folder / "clip.mp4", moving_gradient(3, 32, 32), {});
  const std::string bytes = testing::read_bytes(folder / "clip.mp4");
  EXPECT_THAT(bytes, HasSubstr(std::string("colrnclx\0\1\0\1\0\1\0", 15)));
}

std::string comment_after_round_trip(const std::string& text) {
  TempFolder folder;
  const auto file = folder / "clip.mp4";
  Mp4Writer writer(file, IfExists::kRefuse, {32, 32, {24, 1}}, plan_encoder({}, 32, 32));
  writer.set_comment("replaced by the next");
  writer.write(moving_gradient(2, 32, 32));
  writer.set_comment(text);
  writer.finish();
  EXPECT_EQ(read_frames(file).size(0), 2);
  return read_video_facts(file).comment;
}

TEST(VideoFacts, TheCommentReturnsByteForByte) {
  const nlohmann::json metadata = {
      {"format", 1},
      {"request", {{"prompt", "a \"quoted\" fox = \\ ; ünïcode 狐狸 \U0001F98A\ttab\nline"}}}};
  const std::string text = metadata.dump();
  EXPECT_EQ(comment_after_round_trip(text), text);
  EXPECT_EQ(nlohmann::json::parse(comment_after_round_trip(text)), metadata);
}

TEST(VideoFacts, LongCommentsReturnWhole) {
  std::string text(200'000, 'x');
  text.back() = 'y';
  EXPECT_EQ(comment_after_round_trip(text), text);
}

// What the widely used inspector says, where it is installed.
TEST(VideoFacts, FfprobeAgrees) {
  if (std::system("ffprobe -version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no ffprobe here";
  TempFolder folder;
  write_video(folder / "clip.mp4", moving_gradient(17, 48, 64), {}, {24000, 1001});
  const std::string command =
      "ffprobe -v error -count_frames -select_streams v -show_streams -of json " +
      (folder / "clip.mp4").string() + " > " + (folder / "out.json").string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  const auto stream =
      nlohmann::json::parse(testing::read_bytes(folder / "out.json")).at("streams").at(0);
  EXPECT_EQ(stream.at("codec_name"), "h264");
  EXPECT_EQ(stream.at("pix_fmt"), "yuv420p");
  EXPECT_EQ(stream.at("avg_frame_rate"), "24000/1001");
  EXPECT_EQ(stream.at("r_frame_rate"), "24000/1001");
  EXPECT_EQ(stream.at("nb_frames"), "17");
  EXPECT_EQ(stream.at("nb_read_frames"), "17");
  EXPECT_EQ(stream.at("color_range"), "tv");
  EXPECT_EQ(stream.at("color_space"), "bt709");
  EXPECT_EQ(stream.at("color_transfer"), "bt709");
  EXPECT_EQ(stream.at("color_primaries"), "bt709");
  EXPECT_EQ(stream.at("chroma_location"), "left");
  EXPECT_EQ(stream.at("sample_aspect_ratio"), "1:1");
  EXPECT_EQ(stream.at("start_time"), "0.000000");
}

TEST(VideoFacts, DamagedFilesAreRefused) {
  TempFolder folder;
  const auto file = folder / "clip.mp4";
  EXPECT_THAT(error_of<ConfigError>([&] { read_video_facts(file); }),
              HasSubstr("clip.mp4: cannot be read as a video: No such file"));
  testing::write_bytes(file, "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n");
  EXPECT_THAT(error_of<ConfigError>([&] { read_video_facts(file); }),
              HasSubstr("cannot be read as a video"));
  write_video(file, moving_gradient(20, 32, 32), {});
  const std::string whole = testing::read_bytes(file);
  testing::write_bytes(file, whole.substr(0, whole.size() - 10));
  EXPECT_THAT(error_of<ConfigError>([&] { mp4_boxes(file); }), HasSubstr("ends within a box"));
  testing::write_bytes(file, whole.substr(0, 200));
  EXPECT_THAT(error_of<ConfigError>([&] { read_video_facts(file); }),
              HasSubstr("cannot be read as a video"));
}

}  // namespace
}  // namespace reel::media
