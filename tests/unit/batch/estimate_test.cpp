#include "batch/estimate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/errors.h"
#include "tests/support/temp_folder.h"

namespace reel::batch {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(PaceOfFile, IsTimeOverWork) {
  const testing::TempFolder folder;
  const auto file = folder.write("a.json", R"({"timing_ms": {"denoise": 2000, "decode": 1000},
      "request": {"width": 64, "height": 64, "frames": 5, "steps": 3}})");
  EXPECT_DOUBLE_EQ(pace_of_file(file).seconds_per_work, 3.0 / (2 * 16 * 3));
}

TEST(PaceOfFile, RefusesWhatIsNoMetadataOfOurs) {
  const testing::TempFolder folder;
  const auto error = [&](const std::string& request) {
    const auto file = folder.write(
        "a.json", R"({"timing_ms": {"denoise": 2, "decode": 1}, "request": )" + request + "}");
    return error_of<ConfigError>([&] { pace_of_file(file); });
  };
  EXPECT_THAT(error("[]"), HasSubstr("a.json: /request: wrong type: got [], want an object"));
  EXPECT_THAT(error("{}"), HasSubstr("a.json: /request/frames: key is missing"));
  EXPECT_THAT(error(R"({"frames": "x"})"), HasSubstr("/request/frames: wrong type: got \"x\""));
  EXPECT_THAT(error(R"({"width": 64, "height": 64, "frames": 9223372036854775807, "steps": 3})"),
              HasSubstr("--frames: out of range"));
  folder.write("a.json", std::string(300'000, '['));
  EXPECT_THAT(error_of<ConfigError>([&] { pace_of_file(folder / "a.json"); }),
              HasSubstr("holds no times"));
}

}  // namespace
}  // namespace reel::batch
