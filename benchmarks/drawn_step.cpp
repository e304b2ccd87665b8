#include "benchmarks/drawn_step.h"

#include <ATen/ATen.h>

#include <cmath>

#include "attention/device_plan.h"
#include "benchmarks/given_plan.h"
#include "dit/weight_table.h"

namespace reel::benchmarks {
namespace {

at::TensorOptions on_gpu(at::ScalarType dtype) {
  return at::TensorOptions(dtype).device(at::kCUDA);
}

}  // namespace

void add_shape_flags(CLI::App& app, StepShape& shape) {
  app.add_option("--frames", shape.frames)->check(CLI::PositiveNumber);
  app.add_option("--width", shape.width)->check(CLI::PositiveNumber);
  app.add_option("--height", shape.height)->check(CLI::PositiveNumber);
  app.add_option("--text-tokens", shape.text_tokens)->check(CLI::PositiveNumber);
  app.add_option("--double-blocks", shape.num_double_blocks)->check(CLI::NonNegativeNumber);
  app.add_option("--single-blocks", shape.num_single_blocks)->check(CLI::NonNegativeNumber);
}

dit::Config config_of(const StepShape& shape) {
  return {.channels = 16,
          .num_heads = 24,
          .head_dim = 128,
          .num_double_blocks = shape.num_double_blocks,
          .num_single_blocks = shape.num_single_blocks,
          .num_refiner_blocks = 2,
          .mlp_width = 12'288,
          .patch_size_t = 1,
          .patch_size = 2,
          .embeds_guidance = true,
          .text_dim = 4096,
          .pooled_dim = 768,
          .rope_theta = 256.0,
          .rope_axes = {16, 56, 56}};
}

TokenGrid grid_of(const StepShape& shape) {
  return {(shape.frames - 1) / 4 + 1, shape.height / 16, shape.width / 16};
}

std::map<std::string, at::Tensor> draw_weights(const dit::Config& config) {
  const auto table = dit::weight_table(config);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& spec : table.specs()) {
    const auto row = static_cast<double>(spec.num_elements() / spec.shape[0]);
    tensors[spec.name] =
        at::empty(spec.shape, on_gpu(at::kBFloat16)).normal_(0.0, 1.0 / std::sqrt(row));
  }
  return tensors;
}

dit::Inputs draw_inputs(const StepShape& shape, const dit::Config& config) {
  const auto draw = [](at::IntArrayRef sizes) { return at::randn(sizes, on_gpu(at::kFloat)); };
  const TokenGrid grid = grid_of(shape);
  dit::Inputs inputs;
  inputs.latents =
      draw({1, config.channels, grid.num_frames, 2 * grid.num_rows, 2 * grid.num_columns});
  inputs.timestep = at::full({1}, 875.0F, on_gpu(at::kFloat));
  inputs.guidance = at::full({1}, 6000.0F, on_gpu(at::kFloat));
  inputs.text_states = {draw({shape.text_tokens, config.text_dim})};
  inputs.text_pooled = draw({1, config.pooled_dim});
  return inputs;
}

at::Tensor mixture_plan(const StepShape& shape, const dit::Config& config, double density,
                        int64_t stride) {
  const TokenGrid grid = grid_of(shape);
  const int64_t image = grid.num_tokens();
  const attention::BlockGrid blocks = {.num_tokens = image + shape.text_tokens,
                                       .text_length = shape.text_tokens,
                                       .block = 128,
                                       .stride = stride};
  const auto drawn = draw_queries_and_keys(grid, mixture(config.num_heads), config.head_dim,
                                           /*seed=*/1, on_gpu(at::kBFloat16));
  const auto with_text = [&](const at::Tensor& x) {
    const at::Tensor joint = at::zeros({blocks.num_tokens, x.size(1), x.size(2)}, x.options());
    joint.slice(0, 0, image).copy_(x);
    return joint;
  };
  attention::PlanOptions options;
  options.keep_mass = true;
  std::vector<attention::TimePoint> moments;
  const std::vector<double> taus(static_cast<size_t>(config.num_heads), 0.9);
  const auto plan = attention::plan_on_device(with_text(drawn.q), with_text(drawn.k), blocks, taus,
                                              {}, options, moments);
  return plan_of_density(plan.block_mass, blocks, {}, density);
}

attention::Attention sparse_attention(const dit::Config& config, double tau, int64_t stride) {
  attention::ScheduleOptions options;
  options.dense_steps = "0";
  options.dense_steps_given = true;
  options.tau = tau;
  options.stride = stride;
  attention::ScheduleShape shape;
  shape.num_layers = config.num_layers();
  shape.num_heads = config.num_heads;
  return attention::Attention(attention::AttentionSchedule::make(options, shape));
}

}  // namespace reel::benchmarks
