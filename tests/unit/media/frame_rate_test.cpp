#include "media/frame_rate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/errors.h"

namespace reel::media {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(FrameRate, ReadsWholeDecimalAndFractionalRatesExactly) {
  EXPECT_EQ(parse_frame_rate("24"), (FrameRate{24, 1}));
  EXPECT_EQ(parse_frame_rate("24000/1001"), (FrameRate{24000, 1001}));
  EXPECT_EQ(parse_frame_rate("48/2"), (FrameRate{24, 1}));
  EXPECT_EQ(parse_frame_rate("23.976"), (FrameRate{2997, 125}));
  EXPECT_EQ(parse_frame_rate("7.50"), (FrameRate{15, 2}));
  EXPECT_EQ(parse_frame_rate("0.5"), (FrameRate{1, 2}));
}

TEST(FrameRate, RefusesWhatIsNoRate) {
  for (const auto* text : {"", "x", "24fps", "-24", "2e1", "24/", "/1001", "24/0", "0", "0.0",
                           "24.", " 24", "24/1.5", "-1/-1", "1.2.3", "nan", "0x18"}) {
    EXPECT_THAT(error_of<ConfigError>([&] { parse_frame_rate(text); }),
                HasSubstr("--fps: not a frame rate: got " + std::string(text)));
  }
}

TEST(FrameRate, RefusesRatesOutOfRange) {
  for (const auto* text : {"1001", "1/1001", "999999/2"}) {
    EXPECT_THAT(error_of<ConfigError>([&] { parse_frame_rate(text); }),
                HasSubstr("--fps: out of range: got " + std::string(text)));
  }
  EXPECT_EQ(parse_frame_rate("1000").num, 1000);
}

TEST(FrameRate, PrintsAsItReads) {
  EXPECT_EQ(frame_rate_text({24, 1}), "24");
  EXPECT_EQ(frame_rate_text({24000, 1001}), "24000/1001");
}

}  // namespace
}  // namespace reel::media
