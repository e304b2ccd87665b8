// One denoising step of the transformer: milliseconds and GFLOP/s.
//
// The default is the speed model at 256x256 and 33 frames: 4 heads x 64, 3 double and 8 single
// blocks, drawn weights. benchmarks/peers/dit_step.py runs it beside the Python implementation.
#include <ATen/ATen.h>

#include <cmath>
#include <memory>

#include "benchmarks/timed_runs.h"
#include "core/device.h"
#include "dit/transformer.h"
#include "dit/weight_table.h"

namespace reel {
namespace {

struct Options {
  int64_t frames = 33;
  int64_t width = 256;
  int64_t height = 256;
  int64_t text_tokens = 64;
  double density = 1.0;  // 1: dense
  int64_t block = 128;
  int64_t stride = 8;
  benchmarks::RunFlags run;
};

dit::Config speed_model() {
  return {.channels = 16,
          .num_heads = 4,
          .head_dim = 64,
          .num_double_blocks = 3,
          .num_single_blocks = 8,
          .num_refiner_blocks = 1,
          .mlp_width = 1024,
          .patch_size_t = 1,
          .patch_size = 2,
          .embeds_guidance = true,
          .text_dim = 128,
          .pooled_dim = 96,
          .rope_theta = 256.0,
          .rope_axes = {16, 24, 24}};
}

weights::WeightStore draw_weights(const dit::Config& config, const at::TensorOptions& options) {
  const auto table = dit::weight_table(config);
  std::map<std::string, at::Tensor> tensors;
  for (const auto& spec : table.specs()) {
    const auto row = static_cast<double>(spec.num_elements() / spec.shape[0]);
    tensors[spec.name] = (at::randn(spec.shape) / std::sqrt(row)).to(options);
  }
  return weights::WeightStore(std::move(tensors));
}

dit::Inputs draw_inputs(const Options& options, const dit::Config& config, at::Device device) {
  dit::Inputs inputs;
  inputs.latents = at::randn({1, config.channels, (options.frames - 1) / 4 + 1, options.height / 8,
                              options.width / 8})
                       .to(device);
  inputs.timestep = at::full({1}, 875.0F).to(device);
  inputs.guidance = at::full({1}, 6000.0F).to(device);
  inputs.text_states = {at::randn({options.text_tokens, config.text_dim}).to(device)};
  inputs.text_pooled = at::randn({1, config.pooled_dim}).to(device);
  return inputs;
}

int64_t num_image_tokens(const Options& options) {
  return ((options.frames - 1) / 4 + 1) * (options.height / 16) * (options.width / 16);
}

// A plan of `density` of all blocks: its forced part (text, ragged, own block) as selection would
// force it, the rest spread evenly over the other blocks of each row.
at::Tensor make_plan(const Options& options, const dit::Config& config) {
  const int64_t image = num_image_tokens(options);
  const int64_t tokens = image + options.text_tokens;
  const int64_t n = (tokens + options.block - 1) / options.block;
  const int64_t scored = image / options.block;
  at::Tensor plan = at::zeros({config.num_heads, n, n}, at::kBool);
  plan.slice(1, scored).fill_(true);
  plan.slice(2, scored).fill_(true);
  plan.diagonal(0, 1, 2).fill_(true);
  const auto wanted = static_cast<int64_t>(options.density * static_cast<double>(n * n));
  const int64_t free_blocks = wanted - plan.select(0, 0).sum().item<int64_t>();
  for (int64_t head = 0; head < config.num_heads; ++head) {
    for (int64_t i = 0; i < free_blocks; ++i) {
      const int64_t row = i % scored;
      const int64_t turn = i / scored + 1;  // steps away from the own block, another way each head
      const int64_t column = (row + turn * (2 * head + 1)) % scored;
      plan[head][row][column] = true;
    }
  }
  return plan;
}

attention::Attention make_attention(const Options& options, const dit::Config& config) {
  if (options.density >= 1.0) return {};
  attention::ScheduleOptions flags;
  flags.dense_steps = "0";
  flags.dense_steps_given = true;
  flags.block = options.block;
  flags.stride = options.stride;
  attention::ScheduleShape shape;
  shape.num_layers = config.num_layers();
  shape.num_heads = config.num_heads;
  attention::Attention attention(attention::AttentionSchedule::make(flags, shape));
  attention.give_plan(make_plan(options, config));
  return attention;
}

// Of one dense step.
double gflop(const Options& options, const dit::Config& config) {
  const auto tokens = static_cast<double>(num_image_tokens(options) + options.text_tokens);
  const auto width = static_cast<double>(config.width());
  const auto mlp = static_cast<double>(config.mlp_width);
  const double block = 2 * tokens * width * (4 * width + 2 * mlp) + 4 * tokens * tokens * width;
  return static_cast<double>(config.num_layers()) * block * 1e-9;
}

benchmarks::HotPath prepare(const Options& options) {
  const at::Device device = parse_device(options.run.device);
  const dit::Config config = speed_model();
  auto store = draw_weights(
      config, at::TensorOptions().dtype(parse_dtype(options.run.dtype)).device(device));
  const auto transformer = std::make_shared<dit::Transformer>(config, store);
  const auto attention = std::make_shared<attention::Attention>(make_attention(options, config));
  const dit::Inputs inputs = draw_inputs(options, config, device);
  benchmarks::HotPath path;
  path.run = [=] {
    transformer->forward(inputs, attention->at_step(0));
    synchronize(device);
  };
  path.facts = {{"image_tokens", num_image_tokens(options)},
                {"text_tokens", options.text_tokens},
                {"density", options.density}};
  path.amounts = {{"dense_GFLOP", gflop(options, config)}};
  return path;
}

int main_with_flags(int argc, char** argv) {
  Options options;
  CLI::App app("One denoising step of the transformer, timed");
  app.add_option("--frames", options.frames)->check(CLI::PositiveNumber);
  app.add_option("--width", options.width)->check(CLI::PositiveNumber);
  app.add_option("--height", options.height)->check(CLI::PositiveNumber);
  app.add_option("--text-tokens", options.text_tokens)->check(CLI::PositiveNumber);
  app.add_option("--density", options.density, "share of blocks that a given plan attends to")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--block", options.block, "64 or 128");
  app.add_option("--stride", options.stride, "4, 8 or 16");
  return benchmarks::run_benchmark("dit_step", app, options.run, argc, argv,
                                   [&options] { return prepare(options); });
}

}  // namespace
}  // namespace reel

int main(int argc, char** argv) {
  return reel::main_with_flags(argc, argv);
}
