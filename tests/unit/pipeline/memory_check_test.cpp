// What a run needs at least, at the sizes of the published model.
#include "pipeline/memory_check.h"

#include <gtest/gtest.h>

#include "pipeline/vae_tiling.h"

namespace reel::pipeline {
namespace {

const dit::Config kTransformer = {.channels = 16,
                                  .num_heads = 24,
                                  .head_dim = 128,
                                  .num_double_blocks = 20,
                                  .num_single_blocks = 40,
                                  .num_refiner_blocks = 2,
                                  .mlp_width = 12'288,
                                  .patch_size_t = 1,
                                  .patch_size = 2,
                                  .embeds_guidance = true,
                                  .text_dim = 4096,
                                  .pooled_dim = 768,
                                  .rope_theta = 256.0,
                                  .rope_axes = {16, 56, 56}};

const vae::Config kVae = {.latent_channels = 16,
                          .block_channels = {128, 256, 512, 512},
                          .layers_per_block = 2,
                          .num_groups = 32,
                          .mid_attention = true,
                          .scaling_factor = 0.476986};

MemoryNeed need_of(Offload offload) {
  const auto geometry = latent_geometry({.frames = 129, .height = 720, .width = 1280});
  const ComputeChoice compute = {.device = at::Device(at::kCUDA, 0),
                                 .dtype = at::kBFloat16,
                                 .vae_dtype = at::kHalf,
                                 .offload = offload};
  return estimate_memory(kTransformer, kVae, geometry, plan_vae_tiles({}, geometry.latents),
                         compute);
}

TEST(EstimateMemory, CountsWhatOffloadingLeavesOnTheDevice) {
  const auto none = need_of(Offload::kNone);
  const auto models = need_of(Offload::kModels);
  const auto blocks = need_of(Offload::kBlocks);
  EXPECT_GT(none.total_bytes(), models.total_bytes()) << "the decoder has left";
  EXPECT_GT(models.weight_bytes, 25e9);
  EXPECT_LT(blocks.weight_bytes, 4e9);
  EXPECT_LT(blocks.total_bytes(), 24e9);
  EXPECT_GT(blocks.weight_bytes, 2e9) << "three slots";
}

}  // namespace
}  // namespace reel::pipeline
