#include "dit/token_refiner.h"

#include <ATen/ops/layer_norm.h>
#include <ATen/ops/silu.h>

#include "attention/dense.h"
#include "dit/elementwise.h"
#include "dit/timestep_embedding.h"

namespace reel::dit {

TokenRefiner::Block::Block(const Config& config, weights::WeightStore& store,
                           const std::string& prefix)
    : num_heads(config.num_heads),
      norm1_weight(store.take_weight(prefix + "norm1")),
      norm1_bias(store.take_bias(prefix + "norm1")),
      norm2_weight(store.take_weight(prefix + "norm2")),
      norm2_bias(store.take_bias(prefix + "norm2")),
      qkv(store, prefix + "self_attn_qkv"),
      proj(store, prefix + "self_attn_proj"),
      fc1(store, prefix + "mlp.fc1"),
      fc2(store, prefix + "mlp.fc2"),
      gates(store, prefix + "adaLN_modulation.1") {}

void TokenRefiner::Block::forward(at::Tensor text, const at::Tensor& activated) const {
  const int64_t length = text.size(0);
  const int64_t width = text.size(1);
  const auto [attention_gate, mlp_gate] = gates(activated);

  const at::Tensor first = at::layer_norm(text, {width}, norm1_weight, norm1_bias, kNormEpsilon);
  const at::Tensor parts = qkv(first).view({1, length, 3, num_heads, -1});
  const at::Tensor attended =
      attention::dense_attention(parts.select(2, 0), parts.select(2, 1), parts.select(2, 2));
  add_gated_(text, proj(attended.view({length, width})), attention_gate);

  const at::Tensor second = at::layer_norm(text, {width}, norm2_weight, norm2_bias, kNormEpsilon);
  at::Tensor hidden = fc1(second);
  add_gated_(text, fc2(at::silu_(hidden)), mlp_gate);
}

TokenRefiner::TokenRefiner(const Config& config, weights::WeightStore& store)
    : input_(store, "txt_in.input_embedder"),
      time_(store, "txt_in.t_embedder.mlp.0", "txt_in.t_embedder.mlp.2"),
      context_(store, "txt_in.c_embedder.linear_1", "txt_in.c_embedder.linear_2") {
  for (int64_t i = 0; i < config.num_refiner_blocks; ++i) {
    const std::string prefix = "txt_in.individual_token_refiner.blocks." + std::to_string(i) + ".";
    blocks_.emplace_back(config, store, prefix);
  }
}

at::Tensor TokenRefiner::conditioning(const at::Tensor& text_states,
                                      const at::Tensor& timestep) const {
  const at::Tensor mean = text_states.to(at::kFloat).mean(0, /*keepdim=*/true);
  return time_(sinusoid(timestep)) + context_(mean);
}

at::Tensor TokenRefiner::operator()(const at::Tensor& text_states,
                                    const at::Tensor& timestep) const {
  const at::Tensor activated = at::silu(conditioning(text_states, timestep));
  at::Tensor text = input_(text_states.to(input_.options()));
  for (const auto& block : blocks_) block.forward(text, activated);
  return text;
}

}  // namespace reel::dit
