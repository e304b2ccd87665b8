// Exceptions of other libraries arrive as ours, with one line.
#include "core/torch_error.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <new>

#include "core/error.h"
#include "tests/support/errors.h"

namespace reel {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

template <typename Work>
auto as_ours(const Work& work) {
  return [work] {
    try {
      work();
    } catch (...) {
      rethrow_as_ours();
    }
  };
}

TEST(TorchError, BecomesADeviceErrorOfOneLine) {
  const auto multiply = [] { at::zeros({2, 3}).matmul(at::zeros({2, 3})); };
  EXPECT_THAT(error_of<DeviceError>(as_ours(multiply)),
              AllOf(StartsWith("LibTorch: "), HasSubstr("2x3"), Not(HasSubstr("\n"))));
}

TEST(TorchError, BecomesOutOfMemoryIfAnAllocationFailed) {
  const auto allocate = [] { at::empty({int64_t{1} << 60}, at::kByte); };
  EXPECT_THAT(error_of<OutOfMemory>(as_ours(allocate)), StartsWith("out of memory: "));
  EXPECT_EQ(error_of<OutOfMemory>(as_ours([] { throw std::bad_alloc(); })),
            "out of memory on the host");
}

TEST(TorchError, LeavesAllOthersAsTheyAre) {
  EXPECT_EQ(error_of<WeightError>(as_ours([] { throw WeightError("mine"); })), "mine");
  EXPECT_THROW(as_ours([] { throw std::domain_error("theirs"); })(), std::domain_error);
}

}  // namespace
}  // namespace reel
