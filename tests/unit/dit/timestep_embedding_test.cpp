#include "dit/timestep_embedding.h"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

namespace reel::dit {
namespace {

TEST(Sinusoid, PutsCosinesFirstAndFallingFrequencies) {
  // spec/hunyuanvideo.md 1.3, computed there in double precision.
  const at::Tensor features = sinusoid(at::tensor({1000.0F}));
  ASSERT_EQ(features.sizes(), at::IntArrayRef({1, 256}));
  const auto at_index = [&features](int64_t i) { return features[0][i].item<double>(); };
  EXPECT_NEAR(at_index(0), 0.562379, 1e-6);
  EXPECT_NEAR(at_index(128), 0.826880, 1e-6);
  EXPECT_NEAR(at_index(1), 0.789615, 5e-5);
  EXPECT_NEAR(at_index(64), -0.839072, 1e-5);
  EXPECT_NEAR(at_index(127), 0.994232, 1e-6);
}

TEST(Sinusoid, TreatsEverySampleAlone) {
  const at::Tensor both = sinusoid(at::tensor({997.093F, 125.0F}));
  EXPECT_TRUE(both[0].equal(sinusoid(at::tensor({997.093F}))[0]));
  EXPECT_TRUE(both[1].equal(sinusoid(at::tensor({125.0F}))[0]));
}

TEST(GuidanceInput, IsExactInFp32) {
  EXPECT_EQ(guidance_input(6.0, at::kFloat), 6000.0);
  EXPECT_EQ(guidance_input(1.0, at::kFloat), 1000.0);
}

TEST(GuidanceInput, IsRoundedAsThePublishedProgramsDoInBf16) {
  EXPECT_EQ(guidance_input(6.0, at::kBFloat16), 6016.0);
  EXPECT_EQ(guidance_input(1.0, at::kBFloat16), 1000.0);
  EXPECT_EQ(guidance_input(4.5, at::kBFloat16), 4512.0);
  EXPECT_EQ(guidance_input(5.0, at::kBFloat16), 4992.0);
  EXPECT_EQ(guidance_input(6.5, at::kBFloat16), 6496.0);
  EXPECT_EQ(guidance_input(7.0, at::kBFloat16), 7008.0);
}

}  // namespace
}  // namespace reel::dit
