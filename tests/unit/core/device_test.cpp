#include "core/device.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

#include "core/error.h"
#include "tests/support/errors.h"
#include "tests/support/gpu.h"

namespace reel {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(ParseDevice, KnowsTheCpu) {
  EXPECT_EQ(parse_device("cpu"), at::Device(at::kCPU));
}

TEST(ParseDevice, RefusesOtherTexts) {
  for (const auto* text : {"", "gpu", "CPU", "cuda1", "cpu:0", " cuda"}) {
    EXPECT_THAT(error_of<ConfigError>([&] { parse_device(text); }),
                HasSubstr("--device: unknown device: got " + std::string(text)));
  }
  for (const auto* text :
       {"cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda: 1", "cuda:99999999999"}) {
    EXPECT_THAT(error_of<ConfigError>([&] { parse_device(text); }),
                HasSubstr("--device: not a GPU number: got " + std::string(text)));
  }
}

TEST(ParseDevice, AutoIsTheCpuWithoutAGpu) {
  if (has_gpu()) GTEST_SKIP() << "this machine has a GPU";
  EXPECT_EQ(parse_device("auto"), at::Device(at::kCPU));
  for (const auto* text : {"cuda", "cuda:0"}) {
    EXPECT_THAT(error_of<ConfigError>([&] { parse_device(text); }),
                HasSubstr(REEL_CUDA ? "no such GPU" : "built without CUDA"));
  }
}

TEST(ParseDevice, FindsGpusThatAreThere) {
  REEL_REQUIRE_GPU();
  EXPECT_EQ(parse_device("auto"), at::Device(at::kCUDA, 0));
  EXPECT_EQ(parse_device("cuda"), at::Device(at::kCUDA, 0));
  EXPECT_EQ(parse_device("cuda:0"), at::Device(at::kCUDA, 0));
  EXPECT_THAT(error_of<ConfigError>([] { parse_device("cuda:1000"); }), HasSubstr("no such GPU"));
}

TEST(ParseDtype, ReadsWhatDtypeNameWrites) {
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    EXPECT_EQ(parse_dtype(dtype_name(dtype)), dtype);
  }
  EXPECT_EQ(parse_dtype("bf16"), at::kBFloat16);
  EXPECT_EQ(dtype_name(at::kLong), "Long");
}

TEST(ParseDtype, RefusesOtherTexts) {
  for (const auto* text : {"", "float32", "FP32", "fp8"}) {
    EXPECT_THAT(error_of<ConfigError>([&] { parse_dtype(text); }),
                HasSubstr("want fp32, bf16 or fp16"));
  }
}

TEST(NumUsableCores, FollowsTheAffinityMask) {
  const int all = num_usable_cores();
  ASSERT_GE(all, 1);
  int pinned = 0;
  std::thread([&] {  // the mask belongs to the thread
    cpu_set_t usable;
    ASSERT_EQ(sched_getaffinity(0, sizeof(usable), &usable), 0);
    int first = 0;
    while (!CPU_ISSET(first, &usable)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    pinned = num_usable_cores();
  })
      .join();
  EXPECT_EQ(pinned, 1);
  EXPECT_EQ(num_usable_cores(), all);
}

TEST(Device, ACpuHasNoComputeCapability) {
  EXPECT_EQ(compute_capability_major(at::kCPU), 0);
  if (has_gpu()) {
    EXPECT_GE(compute_capability_major(parse_device("cuda:0")), 5);
  }
}

}  // namespace
}  // namespace reel
