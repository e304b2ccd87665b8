#include "dit/single_block.h"

#include "dit/elementwise.h"
#include "dit/fused_linear.h"

namespace reel::dit {

SingleBlock::SingleBlock(const Config& config, weights::WeightStore& store, int64_t index)
    : SingleBlock(config, store, "single_blocks." + std::to_string(index) + ".") {}

SingleBlock::SingleBlock(const Config& config, weights::WeightStore& store,
                         const std::string& prefix)
    : width_(config.width()),
      modulation_(store, prefix + "modulation.linear"),
      linear1_(store, prefix + "linear1"),
      qkv_(linear1_.rows(0, 3 * width_)),
      mlp_(linear1_.rows(3 * width_, config.mlp_width)),
      q_norm_(store.take_weight(prefix + "q_norm")),
      k_norm_(store.take_weight(prefix + "k_norm")),
      linear2_(store, prefix + "linear2") {}

void SingleBlock::forward(at::Tensor tokens, const BlockContext& context, Workspace& workspace,
                          int64_t layer) const {
  const auto [shift, scale, gate] = modulation_(context.activated);
  layer_norm_modulate(tokens, shift, scale, workspace.normed);

  // Two products instead of the fused one: each writes where its reader wants it.
  qkv_.into(workspace.normed, workspace.qkv.flatten(1));
  qk_norms_rope_(workspace.qkv, q_norm_, k_norm_, &context.rope);
  at::Tensor hidden = workspace.wide.narrow(1, width_, workspace.wide.size(1) - width_);
  linear_gelu(mlp_, workspace.normed, hidden);
  attend(workspace, context, layer);

  add_gated_linear(linear2_, workspace.wide, gate, workspace.normed, tokens);
}

}  // namespace reel::dit
