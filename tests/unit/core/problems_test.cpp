#include "core/problems.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/errors.h"

namespace reel {
namespace {

using testing::error_of;

TEST(Problems, OneStandsOnTheLineOfItsPlace) {
  Problems problems;
  problems.add("--width: odd: got ", 1271, ", want ", 1270);
  EXPECT_EQ(error_of<ConfigError>([&] { problems.throw_if_any<ConfigError>("request"); }),
            "request: --width: odd: got 1271, want 1270");
}

TEST(Problems, ManyAreCountedAndListed) {
  Problems problems;
  problems.add("a");
  problems.add("b: got ", 0.5);
  EXPECT_EQ(error_of<WeightError>([&] { problems.throw_if_any<WeightError>("weights"); }),
            "weights: 2 problems\n  a\n  b: got 0.5");
  EXPECT_EQ(problems.lines().size(), 2U);
}

TEST(Problems, NoneThrowNothing) {
  const Problems problems;
  EXPECT_TRUE(problems.empty());
  EXPECT_NO_THROW(problems.throw_if_any<ConfigError>("request"));
}

TEST(Fail, StreamsItsParts) {
  EXPECT_EQ(error_of<IoError>([] { fail<IoError>("x: got ", 3, ", want ", 4.5, '.'); }),
            "x: got 3, want 4.5.");
}

}  // namespace
}  // namespace reel
