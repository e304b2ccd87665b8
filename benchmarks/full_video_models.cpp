#include "benchmarks/full_video_models.h"

#include <ATen/ATen.h>

#include "benchmarks/drawn_vae.h"

namespace reel::benchmarks {
namespace {

template <typename Model, typename Config>
Model draw(const Config& config, const weights::WeightTable& table, at::Device device) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& spec : table.specs()) tensors[spec.name] = draw_weight(spec, device);
  weights::WeightStore store(std::move(tensors));
  return Model(config, store);
}

}  // namespace

pipeline::ModelSizes full_video_sizes(const StepShape& shape) {
  return {.transformer = config_of(shape),
          .vae = vae_config("full"),
          .llama = {.hidden_size = 4096,
                    .intermediate_size = 14'336,
                    .num_layers = 32,
                    .num_heads = 32,
                    .num_key_value_heads = 8,
                    .head_dim = 128,
                    .vocab_size = 128'320,
                    .norm_epsilon = 1e-5,
                    .rope_theta = 500'000.0},
          .clip_text = {.hidden_size = 768,
                        .intermediate_size = 3072,
                        .num_layers = 12,
                        .num_heads = 12,
                        .vocab_size = 49'408,
                        .max_tokens = 77,
                        .eos_id = 49'407,
                        .norm_epsilon = 1e-5}};
}

DrawnEncoders::DrawnEncoders(const pipeline::ModelSizes& sizes,
                             const pipeline::ComputeChoice& compute)
    : llama_(draw<text_encoder::Llama>(sizes.llama, text_encoder::llama_table(sizes.llama),
                                       compute.device)),
      clip_(draw<text_encoder::ClipText>(
          sizes.clip_text, text_encoder::clip_text_table(sizes.clip_text), compute.device)) {}

void DrawnEncoders::encode(int64_t prompt_tokens) const {
  constexpr int64_t kTemplate = 95;
  const auto longs = at::TensorOptions(at::kLong);
  const int64_t tokens = kTemplate + prompt_tokens;
  llama_.forward(at::arange(tokens, longs).unsqueeze(0), {tokens});
  clip_.forward(at::full({1, clip_.config().max_tokens}, clip_.config().eos_id, longs));
}

dit::Transformer draw_transformer(const dit::Config& config,
                                  const pipeline::ComputeChoice& compute) {
  if (compute.offload == pipeline::Offload::kBlocks) {
    return streamed_transformer(config, compute.device, [&](const weights::WeightSpec& spec) {
      return draw_weight(spec, compute.device);
    });
  }
  weights::WeightStore store(draw_weights(config, compute.device));
  return {config, store};
}

}  // namespace reel::benchmarks
