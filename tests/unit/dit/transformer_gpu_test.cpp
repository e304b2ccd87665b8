#include <gtest/gtest.h>

#include "dit/transformer.h"
#include "tests/support/compare.h"
#include "tests/support/gpu.h"
#include "tests/unit/dit/golden_case.h"

namespace reel::dit::testing {
namespace {

at::Tensor run_on_gpu(const GoldenCase& golden, at::ScalarType dtype) {
  auto store = draw_diffusers_store(golden.config, at::kCUDA, dtype);
  const Transformer transformer(golden.config, store);
  attention::Attention attention;
  return transformer.forward(make_inputs(golden, at::kCUDA), attention.at_step(0));
}

TEST(TransformerOnGpu, StaysCloseToThePublishedFp32InBf16) {
  REEL_REQUIRE_GPU();
  for (const auto& golden : forward_cases()) {
    const at::Tensor got = run_on_gpu(golden, at::kBFloat16);
    EXPECT_TRUE(got.is_cuda());
    const at::Tensor want = golden_tensors("velocity").tensor(golden.name);
    EXPECT_GE(reel::testing::cosine(got, want), 0.999) << golden.name;
  }
}

TEST(TransformerOnGpu, EqualsThePublishedImplementationInFp32) {
  REEL_REQUIRE_GPU();
  for (const auto& golden : forward_cases()) {
    const at::Tensor got = run_on_gpu(golden, at::kFloat);
    const at::Tensor want = golden_tensors("velocity").tensor(golden.name);
    EXPECT_LE(reel::testing::relative_error(got, want), 1e-4) << golden.name;
  }
}

}  // namespace
}  // namespace reel::dit::testing
