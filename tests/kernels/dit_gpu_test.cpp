// The transformer on a GPU with our attention kernels against the same transformer without them.
#include <ATen/ATen.h>
#include <c10/cuda/CUDAFunctions.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "attention/gpu_kernels.h"
#include "dit/transformer.h"
#include "dit/weight_table.h"
#include "tests/support/compare.h"
#include "tests/support/gpu.h"

namespace reel::dit {
namespace {

using attention::Attention;
using attention::GpuKernels;

constexpr double kLeastCosine = 0.999;
constexpr int64_t kHeads = 3;

// A small model of HunyuanVideo's kind.
Config config_of(int64_t head_dim, int64_t num_double_blocks, int64_t num_single_blocks) {
  const std::array<int64_t, 3> axes =
      head_dim == 128 ? std::array<int64_t, 3>{16, 56, 56} : std::array<int64_t, 3>{16, 24, 24};
  return {.channels = 4,
          .num_heads = kHeads,
          .head_dim = head_dim,
          .num_double_blocks = num_double_blocks,
          .num_single_blocks = num_single_blocks,
          .num_refiner_blocks = 1,
          .mlp_width = 2 * kHeads * head_dim,
          .patch_size_t = 1,
          .patch_size = 2,
          .embeds_guidance = true,
          .text_dim = 32,
          .pooled_dim = 24,
          .rope_theta = 256.0,
          .rope_axes = axes};
}

at::TensorOptions gpu(at::ScalarType dtype) {
  return at::TensorOptions(dtype).device(at::kCUDA);
}

// Values are rounded to bf16 whatever their dtype.
Transformer draw_transformer(const Config& config, at::Device device = at::kCUDA,
                             at::ScalarType dtype = at::kBFloat16) {
  at::manual_seed(11);
  const auto table = weight_table(config);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& spec : table.specs()) {
    const auto row = static_cast<double>(spec.num_elements() / spec.shape[0]);
    tensors[spec.name] =
        (at::randn(spec.shape) / std::sqrt(row)).to(at::kBFloat16).to(device, dtype);
  }
  weights::WeightStore store(std::move(tensors));
  return {config, store};
}

// Two samples of 5 * 16 * 17 image tokens and different numbers of text tokens.
Inputs draw_inputs(const Config& config) {
  at::manual_seed(12);
  Inputs inputs;
  inputs.latents = at::randn({2, config.channels, 5, 32, 34}).to(at::kCUDA);
  inputs.timestep = at::full({2}, 875.0F).to(at::kCUDA);
  inputs.guidance = at::full({2}, 6000.0F).to(at::kCUDA);
  inputs.text_states = {at::randn({77, config.text_dim}).to(at::kCUDA),
                        at::randn({9, config.text_dim}).to(at::kCUDA)};
  inputs.text_pooled = at::randn({2, config.pooled_dim}).to(at::kCUDA);
  return inputs;
}

Attention sparse_attention(const Config& config, double tau) {
  attention::ScheduleOptions options;
  options.tau = tau;
  options.dense_steps = "0";
  options.dense_steps_given = true;
  attention::ScheduleShape shape;
  shape.num_layers = config.num_layers();
  shape.num_heads = config.num_heads;
  return Attention(attention::AttentionSchedule::make(options, shape));
}

struct StepResult {
  at::Tensor velocity;
  double density;
  nlohmann::json kernels;
};

StepResult run(const Transformer& transformer, const Inputs& inputs, Attention attention,
               GpuKernels kernels) {
  attention.use_kernels(kernels);
  const at::Tensor velocity = transformer.forward(inputs, attention.at_step(0));
  return {velocity, attention.statistics().mean_density(0), attention.statistics().kernels_json()};
}

bool hopper() {
  const at::Tensor probe = at::zeros({1, 1, 64}, gpu(at::kBFloat16));
  return attention::sparse_runs_sm90(probe, probe, probe, 128, GpuKernels::kAuto);
}

#define REEL_REQUIRE_HOPPER() \
  REEL_REQUIRE_GPU();         \
  if (!hopper()) GTEST_SKIP() << "the kernels need compute capability 9.0"

class TransformerOnHopper : public ::testing::TestWithParam<int64_t> {};

TEST_P(TransformerOnHopper, DenseStepsAgreeWithLibTorchs) {
  REEL_REQUIRE_HOPPER();
  const Config config = config_of(GetParam(), 2, 2);
  const Transformer transformer = draw_transformer(config);
  const Inputs inputs = draw_inputs(config);
  const StepResult ours = run(transformer, inputs, {}, GpuKernels::kSm90);
  const StepResult theirs = run(transformer, inputs, {}, GpuKernels::kLibTorch);
  EXPECT_EQ(ours.kernels["dense"], "sm90 wgmma (lazy)");
  EXPECT_EQ(theirs.kernels["dense"], "cuDNN");
  EXPECT_GE(reel::testing::cosine(ours.velocity, theirs.velocity), kLeastCosine);
}

// Rounding of one block decides what the next one selects, so many blocks need a plan to compare.
TEST_P(TransformerOnHopper, SparseStepsOverAGivenPlanAgreeWithLibTorchs) {
  REEL_REQUIRE_HOPPER();
  const Config config = config_of(GetParam(), 2, 2);
  const Transformer transformer = draw_transformer(config);
  Inputs inputs = draw_inputs(config);
  inputs.text_states[1] = inputs.text_states[0].flip(0);  // one plan fits both samples
  at::manual_seed(13);
  at::Tensor plan = at::rand({kHeads, 12, 12}).lt(0.4);
  plan.select(2, 11).fill_(true);
  const auto with_plan = [&](GpuKernels kernels) {
    Attention attention = sparse_attention(config, 0.9);
    attention.give_plan(plan);
    return run(transformer, inputs, attention, kernels);
  };
  const StepResult ours = with_plan(GpuKernels::kAuto);
  const StepResult theirs = with_plan(GpuKernels::kLibTorch);
  EXPECT_EQ(ours.kernels["sparse"], "sm90 wgmma (lazy)");
  EXPECT_EQ(theirs.kernels["sparse"], "LibTorch operators");
  EXPECT_DOUBLE_EQ(ours.density, theirs.density);
  EXPECT_GE(reel::testing::cosine(ours.velocity, theirs.velocity), kLeastCosine);
}

TEST_P(TransformerOnHopper, OneBlockThatSelectsAgreesWithLibTorchs) {
  REEL_REQUIRE_HOPPER();
  const Config config = config_of(GetParam(), 1, 0);
  const Transformer transformer = draw_transformer(config);
  const Inputs inputs = draw_inputs(config);
  const Attention attention = sparse_attention(config, 0.7);
  const StepResult ours = run(transformer, inputs, attention, GpuKernels::kAuto);
  const StepResult theirs = run(transformer, inputs, attention, GpuKernels::kLibTorch);
  EXPECT_LT(ours.density, 0.95);
  EXPECT_NEAR(ours.density, theirs.density, 2e-3);
  EXPECT_GE(reel::testing::cosine(ours.velocity, theirs.velocity), kLeastCosine);
}

// On the CPU nothing is fused in bf16: LibTorch's operators, a rounding after each.
TEST_P(TransformerOnHopper, FusedBf16IsAsCloseToFp32AsThePlainOperators) {
  REEL_REQUIRE_GPU();
  const Config config = config_of(GetParam(), 2, 2);
  const Inputs inputs = draw_inputs(config);
  Inputs on_cpu = inputs;
  for (at::Tensor* x : {&on_cpu.latents, &on_cpu.timestep, &*on_cpu.guidance,
                        &on_cpu.text_states[0], &on_cpu.text_states[1], &on_cpu.text_pooled}) {
    *x = x->cpu();
  }
  const at::Tensor exact =
      run(draw_transformer(config, at::kCPU, at::kFloat), on_cpu, {}, GpuKernels::kAuto).velocity;
  const at::Tensor plain =
      run(draw_transformer(config, at::kCPU, at::kBFloat16), on_cpu, {}, GpuKernels::kAuto)
          .velocity;
  const at::Tensor fused =
      run(draw_transformer(config), inputs, {}, GpuKernels::kAuto).velocity.cpu();
  const double plain_error = reel::testing::relative_error(plain, exact);
  EXPECT_GT(plain_error, 1e-4);
  EXPECT_LE(reel::testing::relative_error(fused, exact), 2 * plain_error);
}

TEST_P(TransformerOnHopper, RepeatsGiveTheSameBits) {
  REEL_REQUIRE_HOPPER();
  const Config config = config_of(GetParam(), 2, 2);
  const Transformer transformer = draw_transformer(config);
  const Inputs inputs = draw_inputs(config);
  const Attention attention = sparse_attention(config, 0.9);
  const StepResult first = run(transformer, inputs, attention, GpuKernels::kAuto);
  for (int i = 0; i < 3; ++i) {
    const StepResult again = run(transformer, inputs, attention, GpuKernels::kAuto);
    ASSERT_TRUE(at::equal(first.velocity, again.velocity));
    ASSERT_EQ(first.density, again.density);
  }
}

TEST_P(TransformerOnHopper, ASparseStepNeverWaitsForTheDevice) {
  REEL_REQUIRE_HOPPER();
  const Config config = config_of(GetParam(), 1, 1);
  const Transformer transformer = draw_transformer(config);
  const Inputs inputs = draw_inputs(config);
  Attention attention = sparse_attention(config, 0.9);
  transformer.forward(inputs, attention.at_step(0));
  auto& state = c10::cuda::warning_state();
  state.set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
  EXPECT_NO_THROW(transformer.forward(inputs, attention.at_step(0)));
  state.set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
}

INSTANTIATE_TEST_SUITE_P(HeadDim, TransformerOnHopper, ::testing::Values(64, 128),
                         [](const auto& one) { return "D" + std::to_string(one.param); });

}  // namespace
}  // namespace reel::dit
