// What a run needs, at the sizes of the published model, against what an H200 was seen to use.
#include "pipeline/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "pipeline/memory_check.h"
#include "tests/support/errors.h"

namespace reel::pipeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const ModelSizes kPublished = {.transformer = {.channels = 16,
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
                                               .rope_axes = {16, 56, 56}},
                               .vae = {.latent_channels = 16,
                                       .block_channels = {128, 256, 512, 512},
                                       .layers_per_block = 2,
                                       .num_groups = 32,
                                       .mid_attention = true,
                                       .scaling_factor = 0.476986},
                               .llama = {.hidden_size = 4096,
                                         .intermediate_size = 14'336,
                                         .num_layers = 32,
                                         .num_heads = 32,
                                         .num_key_value_heads = 8,
                                         .head_dim = 128,
                                         .vocab_size = 128'320,
                                         .norm_epsilon = 1e-5,
                                         .rope_theta = 500'000},
                               .clip_text = {.hidden_size = 768,
                                             .intermediate_size = 3072,
                                             .num_layers = 12,
                                             .num_heads = 12,
                                             .vocab_size = 49'408,
                                             .max_tokens = 77,
                                             .eos_id = 2,
                                             .norm_epsilon = 1e-5}};

constexpr int64_t kGigabyte = 1'000'000'000;

GenerationRequest request_720p(Offload offload, const std::string& mode = "xattn") {
  GenerationRequest request;
  request.size = {.frames = 129, .height = 720, .width = 1280};
  request.attention.mode = mode;
  request.compute = {.device = at::Device(at::kCUDA, 0),
                     .dtype = at::kBFloat16,
                     .vae_dtype = at::kHalf,
                     .offload = offload};
  return request;
}

const StageMemory& stage_of(const MemoryPlan& plan, const std::string& name) {
  for (const auto& stage : plan.stages) {
    if (stage.stage == name) return stage;
  }
  throw std::out_of_range(name);
}

double gigabytes(int64_t bytes) {
  return static_cast<double>(bytes) / static_cast<double>(kGigabyte);
}

FreeMemory free_on_gpu(double gigabytes) {
  return {.device = static_cast<int64_t>(gigabytes * kGigabyte), .host = 64 * kGigabyte};
}

// benchmarks/results/h200.md: steps of the transformer alone.
TEST(MemoryPlan, OfAStepIsWithinATenthOfWhatAnH200Used) {
  const auto transformer_alone = [](Offload offload, const std::string& mode) {
    const auto plan = plan_memory(kPublished, request_720p(offload, mode));
    const auto decode = stage_of(plan_memory(kPublished, request_720p(Offload::kModels)), "decode");
    return gigabytes(stage_of(plan, "denoise").tensor_bytes() - decode.weight_bytes);
  };
  EXPECT_NEAR(transformer_alone(Offload::kNone, "dense"), 33.886, 0.1 * 33.886);
  EXPECT_NEAR(transformer_alone(Offload::kNone, "xattn"), 33.931, 0.1 * 33.931);
  EXPECT_NEAR(transformer_alone(Offload::kBlocks, "dense"), 11.016, 0.1 * 11.016);
  EXPECT_NEAR(transformer_alone(Offload::kBlocks, "xattn"), 11.016, 0.1 * 11.016);
}

TEST(MemoryPlan, CountsWhatOffloadingLeavesOnTheDevice) {
  const auto none = plan_memory(kPublished, request_720p(Offload::kNone));
  const auto models = plan_memory(kPublished, request_720p(Offload::kModels));
  const auto blocks = plan_memory(kPublished, request_720p(Offload::kBlocks));
  EXPECT_LT(none.need_bytes(), 45 * kGigabyte);
  EXPECT_GT(stage_of(none, "decode").weight_bytes, 25 * kGigabyte);
  EXPECT_LT(stage_of(models, "decode").weight_bytes, kGigabyte) << "the transformer has left";
  EXPECT_GT(stage_of(models, "denoise").weight_bytes, 25 * kGigabyte);
  EXPECT_GT(stage_of(blocks, "denoise").weight_bytes, 2 * kGigabyte) << "three slots";
  EXPECT_LT(blocks.need_bytes(), 24 * kGigabyte);
  EXPECT_GT(blocks.host_bytes, 24 * kGigabyte);
  EXPECT_LT(models.host_bytes, kGigabyte);
  EXPECT_GT(stage_of(none, "text").weight_bytes, 13 * kGigabyte);
  EXPECT_LT(stage_of(none, "text").weight_bytes, 16 * kGigabyte);
}

TEST(MemoryPlan, DecodesTheOfficialTilesWithinSixteenGigabytes) {
  const auto models = plan_memory(kPublished, request_720p(Offload::kModels));
  EXPECT_LT(stage_of(models, "decode").tensor_bytes(), 16 * kGigabyte);
  auto small = request_720p(Offload::kModels);
  small.vae_tiling = {VaeTiling::Mode::kOn, vae::kDiffusersTiling};
  EXPECT_LT(2 * stage_of(plan_memory(kPublished, small), "decode").activation_bytes,
            stage_of(models, "decode").activation_bytes);
}

// The VAE alone at 720x1280x129, frames streamed: benchmarks/vae_decode.
TEST(MemoryPlan, OfDecodingIsWithinATenthOfWhatAnH200Used) {
  const auto planned = [](const vae::Tiling& tiles) {
    auto request = request_720p(Offload::kModels);
    request.vae_tiling = {VaeTiling::Mode::kOn, tiles};
    return gigabytes(stage_of(plan_memory(kPublished, request), "decode").tensor_bytes());
  };
  EXPECT_NEAR(planned(vae::kOfficialTiling), 8.042, 0.1 * 8.042);
  EXPECT_NEAR(planned({.size = 384, .stride = 352, .frames = 32, .frame_stride = 28}), 8.480,
              0.1 * 8.480);
  EXPECT_NEAR(planned({.size = 640, .stride = 576, .frames = 16, .frame_stride = 12}), 11.793,
              0.1 * 11.793);
  EXPECT_NEAR(planned(vae::kDiffusersTiling), 2.451, 0.1 * 2.451);
}

TEST(MemoryPlan, CountsTheHostOnACpu) {
  auto request = request_720p(Offload::kNone);
  request.compute = {.device = at::Device(at::kCPU)};
  const auto plan = plan_memory(kPublished, request);
  EXPECT_EQ(plan.host_bytes, 0) << "the device is the host";
  EXPECT_EQ(plan.rounding_bytes, 0);
  EXPECT_GT(plan.peak_tensor_bytes(), 51 * kGigabyte) << "fp32 weights";
}

TEST(SettleMemory, TakesTheFirstOffloadingThatFits) {
  const auto settled = [](double free) {
    auto request = request_720p(Offload::kAuto);
    EXPECT_THAT(settle_memory(kPublished, free_on_gpu(free), request), IsEmpty());
    return request.compute.offload;
  };
  EXPECT_EQ(settled(140), Offload::kNone);
  EXPECT_EQ(settled(45), Offload::kNone);
  EXPECT_EQ(settled(24), Offload::kBlocks);
  auto chosen = request_720p(Offload::kModels);
  settle_memory(kPublished, free_on_gpu(140), chosen);
  EXPECT_EQ(chosen.compute.offload, Offload::kModels) << "the user's choice stays";
}

TEST(SettleMemory, TakesSmallerTilesWhereTheUsualOnesDoNotFit) {
  auto request = request_720p(Offload::kAuto);
  request.size = {.frames = 65, .height = 256, .width = 256};  // few tokens, one large tile
  const auto usual = plan_memory(kPublished, request);
  auto blocks = request;
  blocks.compute.offload = Offload::kBlocks;
  const auto need = plan_memory(kPublished, blocks).need_bytes();
  ASSERT_EQ(plan_memory(kPublished, blocks).largest().stage, "text") << "nothing to gain here";
  EXPECT_LT(need, usual.need_bytes());

  // Without the text's 14 GB in the way: the text is small in a model with a small encoder.
  ModelSizes small_text = kPublished;
  small_text.llama.num_layers = 4;
  const auto before = plan_memory(small_text, blocks);
  ASSERT_EQ(before.largest().stage, "decode");
  const FreeMemory free = {before.need_bytes() - 1, 64 * kGigabyte};
  EXPECT_THAT(settle_memory(small_text, free, request),
              ::testing::ElementsAre(HasSubstr("--vae-tile 256:192:32:24 is used")));
  EXPECT_TRUE(fits(plan_memory(small_text, request), free));

  auto given = blocks;
  given.vae_tiling = {VaeTiling::Mode::kOn, vae::kOfficialTiling};
  settle_memory(small_text, free, given);
  EXPECT_EQ(given.vae_tiling.tiles, vae::kOfficialTiling) << "the user's choice stays";
}

std::string refusal(const GenerationRequest& request, const FreeMemory& free) {
  return testing::error_of<OutOfMemory>(
      [&] { check_memory(request, plan_memory(kPublished, request), free); });
}

TEST(CheckMemory, SaysWhatIsNeededWhatThereIsAndWhichFlagHelps) {
  EXPECT_NO_THROW(check_memory(request_720p(Offload::kNone),
                               plan_memory(kPublished, request_720p(Offload::kNone)),
                               free_on_gpu(45)));
  EXPECT_THAT(refusal(request_720p(Offload::kNone), free_on_gpu(24)),
              AllOf(HasSubstr("memory: too little is free on cuda:0: have 24.00 GB, need "),
                    HasSubstr("weights"), HasSubstr("try --offload blocks, ")));
  auto capped = request_720p(Offload::kBlocks);
  capped.compute.max_vram_bytes = 8 * kGigabyte;
  EXPECT_THAT(refusal(capped, free_on_gpu(8)), AllOf(HasSubstr("--max-vram allows 8.00 GB, need "),
                                                     Not(HasSubstr("try --offload"))));
  EXPECT_THAT(
      refusal(request_720p(Offload::kBlocks), {.device = 24 * kGigabyte, .host = kGigabyte}),
      AllOf(HasSubstr("too little is free on the host: have 1.00 GB, need 25"),
            HasSubstr("try --offload models")));
}

TEST(SmallerTilings, GoDownFromWhatDidNotFit) {
  const auto latents = latent_geometry({.frames = 129, .height = 720, .width = 1280}).latents;
  std::vector<std::string> names;
  for (const auto& tiling : smaller_tilings({}, latents)) names.push_back(vae_tiling_text(tiling));
  EXPECT_THAT(names, ::testing::ElementsAre("256:192:32:24", "256:192:16:12", "192:144:16:12",
                                            "128:96:16:12"));
  const VaeTiling whole = {.mode = VaeTiling::Mode::kOff, .tiles = {}};
  EXPECT_EQ(smaller_tilings(whole, latents).front().tiles, vae::kOfficialTiling);
  EXPECT_THAT(smaller_tilings({VaeTiling::Mode::kOn,
                               {.size = 64, .stride = 64, .frames = 16, .frame_stride = 16}},
                              latents),
              IsEmpty());
}

TEST(MemoryText, NamesEveryStage) {
  const auto plan = plan_memory(kPublished, request_720p(Offload::kBlocks));
  EXPECT_THAT(memory_text(plan), AllOf(HasSubstr("text"), HasSubstr("denoise"), HasSubstr("decode"),
                                       HasSubstr("workspace"), HasSubstr("on the host")));
}

}  // namespace
}  // namespace reel::pipeline
