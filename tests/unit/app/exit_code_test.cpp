// Each kind of failure has its exit code and one clear line.
#include "app/exit_code.h"

#include <c10/util/Exception.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>

#include "core/error.h"

namespace reel::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

template <typename Error>
Failure failure_of(const Error& error) {
  return describe_failure(std::make_exception_ptr(error));
}

TEST(ExitCode, BelongsToTheKindOfError) {
  EXPECT_EQ(failure_of(ConfigError("x")).exit_code, 2);
  EXPECT_EQ(failure_of(WeightError("x")).exit_code, 3);
  EXPECT_EQ(failure_of(OutOfMemory("x")).exit_code, 4);
  EXPECT_EQ(failure_of(OutputError("x")).exit_code, 6);
  EXPECT_EQ(failure_of(IoError("x")).exit_code, 1);
  EXPECT_EQ(failure_of(DeviceError("x")).exit_code, 1);
  EXPECT_EQ(failure_of(Interrupted(2)).exit_code, 130);
  EXPECT_EQ(failure_of(Interrupted(15)).exit_code, 143);
  EXPECT_EQ(failure_of(std::bad_alloc()).exit_code, 4);
  EXPECT_EQ(failure_of(WeightError("vae: broken")).message, "vae: broken");
}

TEST(ExitCode, AsksForAReportOfOurBugs) {
  EXPECT_EQ(failure_of(ShapeError("x: wrong")).message, "internal error, please report: x: wrong");
  EXPECT_EQ(failure_of(ShapeError("x")).exit_code, 1);
  EXPECT_EQ(failure_of(std::logic_error("y")).exit_code, 1);
  EXPECT_EQ(describe_failure(std::make_exception_ptr(1)).exit_code, 1);
}

TEST(ExitCode, ShowsLibTorchsErrorsAsOneLine) {
  Failure failure{};
  try {
    TORCH_CHECK(false, "sizes do not match\nstack of frames");
  } catch (...) {
    failure = describe_failure(std::current_exception());
  }
  EXPECT_EQ(failure.exit_code, 1);
  EXPECT_EQ(failure.message, "LibTorch: sizes do not match");
}

TEST(ExitCode, RecognisesMemoryThatRanOut) {
  for (const char* words : {"DefaultCPUAllocator: can't allocate memory: you tried",
                            "CUDA out of memory. Tried", "CUBLAS_STATUS_ALLOC_FAILED when"}) {
    try {
      TORCH_CHECK(false, words);
    } catch (...) {
      EXPECT_EQ(describe_failure(std::current_exception()).exit_code, 4) << words;
    }
  }
  try {
    TORCH_CHECK_WITH(OutOfMemoryError, false, "full");
  } catch (...) {
    EXPECT_EQ(describe_failure(std::current_exception()).exit_code, 4);
  }
}

}  // namespace
}  // namespace reel::app
