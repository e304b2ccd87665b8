// Blocks that stream to a GPU, where copies take longer than the blocks' computation and where they
// take less.
#include <ATen/ATen.h>
#include <c10/cuda/CUDAFunctions.h>
#include <gtest/gtest.h>

#include <cmath>

#include "dit/block_stream.h"
#include "dit/transformer.h"
#include "dit/weight_table.h"
#include "tests/support/gpu.h"

namespace reel::dit {
namespace {

constexpr int64_t kHeads = 8;

Config config_of(int64_t num_double_blocks, int64_t num_single_blocks) {
  return {.channels = 4,
          .num_heads = kHeads,
          .head_dim = 128,
          .num_double_blocks = num_double_blocks,
          .num_single_blocks = num_single_blocks,
          .num_refiner_blocks = 1,
          .mlp_width = 4 * kHeads * 128,
          .patch_size_t = 1,
          .patch_size = 2,
          .embeds_guidance = true,
          .text_dim = 32,
          .pooled_dim = 24,
          .rope_theta = 256.0,
          .rope_axes = {16, 56, 56}};
}

at::TensorOptions gpu(at::ScalarType dtype) {
  return at::TensorOptions(dtype).device(at::kCUDA);
}

std::map<std::string, at::Tensor> draw_weights(const Config& config) {
  at::manual_seed(21);
  const auto table = weight_table(config);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& spec : table.specs()) {
    const auto row = static_cast<double>(spec.num_elements() / spec.shape[0]);
    tensors[spec.name] = at::randn(spec.shape, gpu(at::kBFloat16)) / std::sqrt(row);
  }
  return tensors;
}

// Two models of the same weights.
struct Both {
  explicit Both(const Config& config) {
    auto tensors = draw_weights(config);
    weights::WeightStore all(tensors);
    resident.emplace(config, all);
    auto blocks = std::make_unique<BlockStream>(config, gpu(at::kBFloat16));
    for (auto& [name, host] : blocks->host_tensors()) host.copy_(tensors.at(name));
    blocks->pin();
    for (auto& [name, slot] : blocks->slot_tensors()) tensors[name] = slot;
    weights::WeightStore rest(std::move(tensors));
    streamed.emplace(config, rest, std::move(blocks));
  }

  std::optional<Transformer> resident;
  std::optional<Transformer> streamed;
};

// `rows` x `rows` latents of `frames` frames.
Inputs draw_inputs(const Config& config, int64_t frames, int64_t rows) {
  at::manual_seed(22);
  Inputs inputs;
  inputs.latents = at::randn({1, config.channels, frames, rows, rows}, gpu(at::kFloat));
  inputs.timestep = at::full({1}, 875.0F, gpu(at::kFloat));
  inputs.guidance = at::full({1}, 6000.0F, gpu(at::kFloat));
  inputs.text_states = {at::randn({77, config.text_dim}, gpu(at::kFloat))};
  inputs.text_pooled = at::randn({1, config.pooled_dim}, gpu(at::kFloat));
  return inputs;
}

attention::Attention sparse_attention(const Config& config) {
  attention::ScheduleOptions options;
  options.tau = 0.8;
  options.dense_steps = "0";
  options.dense_steps_given = true;
  attention::ScheduleShape shape;
  shape.num_layers = config.num_layers();
  shape.num_heads = config.num_heads;
  return attention::Attention(attention::AttentionSchedule::make(options, shape));
}

// Latents after `steps` steps, alternately dense and sparse, without waiting between them.
at::Tensor walk(const Transformer& transformer, Inputs inputs, int steps) {
  for (int step = 0; step < steps; ++step) {
    attention::Attention attention;
    if (step % 2 == 1) attention = sparse_attention(transformer.config());
    const at::Tensor velocity = transformer.forward(inputs, attention.at_step(0));
    inputs.latents = inputs.latents - 0.1 * velocity;
  }
  return inputs.latents;
}

TEST(StreamedBlocks, GiveTheSameBitsWhileTheComputationWaitsForCopies) {
  REEL_REQUIRE_GPU();
  for (const auto& [num_double, num_single] : {std::pair(4, 5), std::pair(3, 4), std::pair(0, 2)}) {
    const Config config = config_of(num_double, num_single);
    const Both models(config);
    const Inputs inputs = draw_inputs(config, 1, 8);  // 16 tokens: nothing to compute
    EXPECT_TRUE(at::equal(walk(*models.streamed, inputs, 12), walk(*models.resident, inputs, 12)))
        << num_double << " + " << num_single;
  }
}

TEST(StreamedBlocks, GiveTheSameBitsWhileCopiesWaitForTheComputation) {
  REEL_REQUIRE_GPU();
  const Config config = config_of(3, 4);
  const Both models(config);
  const Inputs inputs = draw_inputs(config, 9, 64);  // 9,216 tokens
  EXPECT_TRUE(at::equal(walk(*models.streamed, inputs, 6), walk(*models.resident, inputs, 6)));
}

TEST(StreamedBlocks, NeverMakeTheHostWait) {
  REEL_REQUIRE_GPU();
  const Config config = config_of(2, 4);
  const Both models(config);
  const Inputs inputs = draw_inputs(config, 1, 8);
  walk(*models.streamed, inputs, 1);
  auto& state = c10::cuda::warning_state();
  state.set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
  EXPECT_NO_THROW(walk(*models.streamed, inputs, 1));
  state.set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
}

}  // namespace
}  // namespace reel::dit
