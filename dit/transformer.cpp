#include "dit/transformer.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/stack.h>

#include "core/error.h"
#include "core/tensor_check.h"
#include "dit/block_context.h"
#include "dit/rope.h"

namespace reel::dit {
namespace {

constexpr const char* kWhere = "Transformer::forward";

void check(const Inputs& inputs, const Config& config) {
  check_tensor(kWhere, inputs.latents, "latents",
               {{'B', kAny}, {'C', config.channels}, {'T', kAny}, {'h', kAny}, {'w', kAny}});
  const int64_t batch = inputs.latents.size(0);
  check_tensor(kWhere, inputs.timestep, "timestep", {{'B', batch}}, at::kFloat);
  if (inputs.guidance.has_value() != config.embeds_guidance) {
    fail<ShapeError>(kWhere, ": guidance: ", inputs.guidance ? "given" : "missing",
                     " but the model ", config.embeds_guidance ? "embeds it" : "embeds none");
  }
  if (inputs.guidance) {
    check_tensor(kWhere, *inputs.guidance, "guidance", {{'B', batch}}, at::kFloat);
  }
  if (static_cast<int64_t>(inputs.text_states.size()) != batch) {
    fail<ShapeError>(kWhere, ": text_states: got ", inputs.text_states.size(), " tensors, want ",
                     batch, ", one a sample");
  }
  for (const auto& text : inputs.text_states) {
    check_tensor(kWhere, text, "text_states", {{'L', kAny}, {'D', config.text_dim}});
    if (text.size(0) < 1) fail<ShapeError>(kWhere, ": text_states: got no token, want at least 1");
  }
  check_tensor(kWhere, inputs.text_pooled, "text_pooled", {{'B', batch}, {'D', config.pooled_dim}});
}

}  // namespace

Transformer::Transformer(const Config& config, weights::WeightStore& store,
                         std::unique_ptr<BlockStream> streamed)
    : config_(config),
      streamed_(std::move(streamed)),
      patch_embed_(config, store),
      conditioning_(config, store),
      refiner_(config, store),
      final_layer_(store) {
  for (int64_t i = 0; i < config.num_double_blocks; ++i) {
    double_blocks_.emplace_back(config, store, i);
  }
  for (int64_t i = 0; i < config.num_single_blocks; ++i) {
    single_blocks_.emplace_back(config, store, i);
  }
}

at::ScalarType Transformer::dtype() const {
  return c10::typeMetaToScalarType(patch_embed_.options().dtype());
}

at::Tensor Transformer::forward(const Inputs& inputs,
                                const attention::StepAttention& attention) const {
  check(inputs, config_);
  const TokenGrid grid = token_grid(config_, inputs.latents.sizes().slice(1));
  const Rope rope = make_rope(config_, grid, inputs.latents.device());
  // One sample after the other: each has its own number of text tokens, which needs neither padding
  // nor masks this way, and thousands of tokens fill the device without a batch.
  std::vector<at::Tensor> velocities;
  for (int64_t b = 0; b < inputs.latents.size(0); ++b) {
    velocities.push_back(forward_sample(inputs, b, rope, attention));
  }
  return at::stack(velocities);
}

at::Tensor Transformer::forward_sample(const Inputs& inputs, int64_t b, const Rope& rope,
                                       const attention::StepAttention& attention) const {
  const auto of_sample = [b](const at::Tensor& x) { return x.narrow(0, b, 1); };
  const at::Tensor latents = inputs.latents.select(0, b);
  const at::Tensor timestep = of_sample(inputs.timestep);
  const at::Tensor& text_states = inputs.text_states.at(static_cast<size_t>(b));
  std::optional<at::Tensor> guidance;
  if (inputs.guidance) guidance = of_sample(*inputs.guidance);

  const int64_t num_image = rope.num_tokens();
  const int64_t text_length = text_states.size(0);
  const at::TensorOptions options = patch_embed_.options();
  at::Tensor tokens = at::empty({num_image + text_length, config_.width()}, options);
  patch_embed_.into(latents, tokens.narrow(0, 0, num_image));
  tokens.narrow(0, num_image, text_length).copy_(refiner_(text_states, timestep));

  const BlockContext context{
      at::silu(conditioning_(timestep, guidance, of_sample(inputs.text_pooled))), rope, text_length,
      attention};
  run_blocks(tokens, context);

  const at::Tensor patches = final_layer_(tokens.narrow(0, 0, num_image), context.activated);
  return from_patches(config_, patches.to(at::kFloat), token_grid(config_, latents.sizes()));
}

void Transformer::run_blocks(const at::Tensor& tokens, const BlockContext& context) const {
  Workspace workspace(config_, tokens.size(0), tokens.options());
  int64_t layer = 0;
  const auto run = [&](const auto& block) {
    if (streamed_) streamed_->before(layer);
    block.forward(tokens, context, workspace, layer);
    if (streamed_) streamed_->after(layer);
    ++layer;
  };
  for (const auto& block : double_blocks_) run(block);
  for (const auto& block : single_blocks_) run(block);
}

}  // namespace reel::dit
