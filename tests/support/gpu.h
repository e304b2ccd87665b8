// Tests that need a GPU skip without one, and fail where one must be there.
#pragma once

#include <gtest/gtest.h>

namespace reel::testing {

/// True if a GPU is there. Adds a test failure if none is and REEL_TESTS_REQUIRE_GPU=1.
bool gpu_or_failure();

}  // namespace reel::testing

/// First line of a GPU test.
#define REEL_REQUIRE_GPU() \
  if (!::reel::testing::gpu_or_failure()) GTEST_SKIP() << "no GPU on this machine"
