// Who attends, as people and metadata read it; on a machine without a GPU.
#include "attention/gpu_kernels.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "attention/cpu_kernels.h"
#include "attention/statistics.h"

namespace reel::attention {
namespace {

TEST(GpuKernels, TheCpuIsNamedAfterItsInstructions) {
  const at::Tensor x = at::zeros({300, 2, 128}, at::kBFloat16);
  const std::string name = sparse_kernel_name(x, x, x, 128, GpuKernels::kAuto);
  EXPECT_EQ(name, has_avx512() ? "cpu avx512" : "cpu avx2");
  const at::Tensor batch = x.unsqueeze(0);
  EXPECT_EQ(dense_kernel_name(batch, batch, batch, GpuKernels::kAuto), "LibTorch operators");
}

TEST(GpuKernels, NothingOfAGpuRunsOnACpuEvenIfForced) {
  const at::Tensor x = at::zeros({300, 2, 128}, at::kBFloat16);
  EXPECT_FALSE(sparse_runs_sm90(x, x, x, 128, GpuKernels::kSm90));
  EXPECT_FALSE(sparse_runs_mma(x, x, x, 128, GpuKernels::kMma));
  const at::Tensor batch = x.unsqueeze(0);
  EXPECT_FALSE(dense_runs_sm90(batch, batch, batch, GpuKernels::kSm90));
  EXPECT_FALSE(dense_runs_mma(batch, batch, batch, GpuKernels::kMma));
}

TEST(GpuKernels, NamesFollowTheComputeCapability) {
  const char* ours = REEL_CUDA ? "sm80 mma.sync (mma_wide)" : "LibTorch operators";
  EXPECT_EQ(gpu_kernel_names(7).sparse, "LibTorch operators");
  for (const int major : {8, 10, 12}) {
    EXPECT_EQ(gpu_kernel_names(major).dense, "cuDNN");
    EXPECT_EQ(gpu_kernel_names(major).sparse, ours);
  }
  EXPECT_EQ(gpu_kernel_names(9).sparse, REEL_CUDA ? "sm90 wgmma (lazy)" : "LibTorch operators");
}

TEST(KernelsJson, JoinsNamesAndLeavesOutWhatNeverRan) {
  Statistics statistics;
  EXPECT_EQ(statistics.kernels_json(), nlohmann::json::object());
  statistics.add_kernel(/*sparse=*/false, "cuDNN");
  statistics.add_kernel(/*sparse=*/false, "a");
  statistics.add_kernel(/*sparse=*/false, "cuDNN");
  EXPECT_EQ(statistics.kernels_json(), nlohmann::json({{"dense", "a + cuDNN"}}));
}

}  // namespace
}  // namespace reel::attention
