#include "core/nearest_name.h"

#include <gtest/gtest.h>

namespace reel {
namespace {

const std::vector<std::string> kFlags = {"--steps", "--seed", "--width", "--height", "--stride"};

TEST(NearestName, FindsOneEditOfEachKind) {
  EXPECT_EQ(nearest_name("--step", kFlags), "--steps");     // a letter left out
  EXPECT_EQ(nearest_name("--stepss", kFlags), "--steps");   // one too many
  EXPECT_EQ(nearest_name("--wedth", kFlags), "--width");    // another letter
  EXPECT_EQ(nearest_name("--hieght", kFlags), "--height");  // two neighbours swapped
  EXPECT_EQ(nearest_name("--height", kFlags), "--height");
}

TEST(NearestName, PrefersFewerEditsThenTheFirst) {
  EXPECT_EQ(nearest_name("ab", {"abcd", "abc"}), "abc");
  EXPECT_EQ(nearest_name("cat", {"hat", "bat"}), "hat");
}

TEST(NearestName, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(nearest_name("--prompt", kFlags), std::nullopt);
  EXPECT_EQ(nearest_name("", kFlags), std::nullopt);
  EXPECT_EQ(nearest_name("x", {}), std::nullopt);
}

TEST(NearestName, ASwapCountsOnce) {
  // Two edits of three letters would be too many, one is not.
  EXPECT_EQ(nearest_name("acb", {"abc"}), "abc");
  EXPECT_EQ(nearest_name("axy", {"abc"}), std::nullopt);
}

}  // namespace
}  // namespace reel
