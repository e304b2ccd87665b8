#include "benchmarks/drawn_step.h"

#include <ATen/ATen.h>

#include <cmath>

#include "attention/device_plan.h"
#include "attention/xattention_cpu.h"
#include "benchmarks/given_plan.h"
#include "benchmarks/transformer_sizes.h"
#include "core/device.h"
#include "dit/block_stream.h"
#include "dit/weight_table.h"

namespace reel::benchmarks {
namespace {

// Of blocks that can be scored: [A, m, m].
at::Tensor block_mass(const at::Tensor& q, const at::Tensor& k, const attention::BlockGrid& grid) {
  if (q.is_cpu()) return attention::score_blocks_cpu(q, k, grid);
  attention::PlanOptions options;
  options.keep_mass = true;
  std::vector<attention::TimePoint> moments;
  const std::vector<double> taus(static_cast<size_t>(q.size(1)), 0.9);
  return attention::plan_on_device(q, k, grid, taus, {}, options, moments).block_mass;
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
  return transformer_config(/*num_heads=*/24, shape.num_double_blocks, shape.num_single_blocks);
}

TokenGrid grid_of(const StepShape& shape) {
  return {(shape.frames - 1) / 4 + 1, shape.height / 16, shape.width / 16};
}

at::Tensor draw_weight(const weights::WeightSpec& spec, at::Device device) {
  const auto row = static_cast<double>(spec.num_elements() / spec.shape[0]);
  return at::empty(spec.shape, at::TensorOptions(at::kBFloat16).device(device))
      .normal_(0.0, 1.0 / std::sqrt(row));
}

std::map<std::string, at::Tensor> draw_weights(const dit::Config& config, at::Device device) {
  const auto table = dit::weight_table(config);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& spec : table.specs()) tensors[spec.name] = draw_weight(spec, device);
  return tensors;
}

dit::Transformer streamed_transformer(
    const dit::Config& config, at::Device device,
    const std::function<at::Tensor(const weights::WeightSpec&)>& weight) {
  auto blocks =
      std::make_unique<dit::BlockStream>(config, at::TensorOptions(at::kBFloat16).device(device));
  blocks->pin();
  const auto host = blocks->host_tensors();
  std::map<std::string, at::Tensor> tensors;
  const auto table = dit::weight_table(config);
  for (const auto& spec : table.specs()) {
    const at::Tensor drawn = weight(spec);
    const auto place = host.find(spec.name);
    if (place == host.end()) {
      tensors[spec.name] = drawn;
    } else {
      at::Tensor(place->second).copy_(drawn, /*non_blocking=*/true);
    }
  }
  synchronize(device);
  for (auto& [name, slot] : blocks->slot_tensors()) tensors[name] = slot;
  weights::WeightStore store(std::move(tensors));
  return {config, store, std::move(blocks)};
}

dit::Inputs draw_inputs(const StepShape& shape, const dit::Config& config, at::Device device) {
  const auto options = at::TensorOptions(at::kFloat).device(device);
  const TokenGrid grid = grid_of(shape);
  dit::Inputs inputs;
  inputs.latents = at::randn(
      {1, config.channels, grid.num_frames, 2 * grid.num_rows, 2 * grid.num_columns}, options);
  inputs.timestep = at::full({1}, 875.0F, options);
  inputs.guidance = at::full({1}, 6000.0F, options);
  inputs.text_states = {at::randn({shape.text_tokens, config.text_dim}, options)};
  inputs.text_pooled = at::randn({1, config.pooled_dim}, options);
  return inputs;
}

at::Tensor mixture_plan(const StepShape& shape, const dit::Config& config, double density,
                        int64_t stride, at::Device device) {
  const TokenGrid grid = grid_of(shape);
  const int64_t image = grid.num_tokens();
  const attention::BlockGrid blocks = {.num_tokens = image + shape.text_tokens,
                                       .text_length = shape.text_tokens,
                                       .block = 128,
                                       .stride = stride};
  const auto drawn =
      draw_queries_and_keys(grid, mixture(config.num_heads), config.head_dim,
                            /*seed=*/1, at::TensorOptions(at::kBFloat16).device(device));
  const auto with_text = [&](const at::Tensor& x) {
    const at::Tensor joint = at::zeros({blocks.num_tokens, x.size(1), x.size(2)}, x.options());
    joint.slice(0, 0, image).copy_(x);
    return joint;
  };
  return plan_of_density(block_mass(with_text(drawn.q), with_text(drawn.k), blocks), blocks, {},
                         density);
}

attention::Attention sparse_attention(const dit::Config& config, double tau, int64_t stride,
                                      const std::string& select) {
  attention::ScheduleOptions options;
  options.dense_steps = "0";
  options.dense_steps_given = true;
  options.tau = tau;
  options.stride = stride;
  options.select = select;
  attention::ScheduleShape shape;
  shape.num_layers = config.num_layers();
  shape.num_heads = config.num_heads;
  return attention::Attention(attention::AttentionSchedule::make(options, shape));
}

}  // namespace reel::benchmarks
