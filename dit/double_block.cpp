#include "dit/double_block.h"

#include "dit/elementwise.h"
#include "dit/fused_linear.h"

namespace reel::dit {

DoubleBlock::Stream::Stream(weights::WeightStore& store, const std::string& prefix)
    : modulation(store, prefix + "mod.linear"),
      qkv_linear(store, prefix + "attn_qkv"),
      q_norm(store.take_weight(prefix + "attn_q_norm")),
      k_norm(store.take_weight(prefix + "attn_k_norm")),
      proj(store, prefix + "attn_proj"),
      fc1(store, prefix + "mlp.fc1"),
      fc2(store, prefix + "mlp.fc2") {}

void DoubleBlock::Stream::project(const at::Tensor& tokens,
                                  const std::array<at::Tensor, 6>& vectors, const Rope* rope,
                                  at::Tensor normed, at::Tensor qkv) const {
  const auto& shift = vectors[0];
  const auto& scale = vectors[1];
  layer_norm_modulate(tokens, shift, scale, normed);
  qkv_linear.into(normed, qkv.flatten(1));
  qk_norms_rope_(qkv, q_norm, k_norm, rope);
}

void DoubleBlock::Stream::update(at::Tensor tokens, const std::array<at::Tensor, 6>& vectors,
                                 const at::Tensor& attended, at::Tensor normed,
                                 at::Tensor hidden) const {
  const auto& attention_gate = vectors[2];
  const auto& mlp_shift = vectors[3];
  const auto& mlp_scale = vectors[4];
  const auto& mlp_gate = vectors[5];
  add_gated_linear(proj, attended, attention_gate, normed, tokens);
  layer_norm_modulate(tokens, mlp_shift, mlp_scale, normed);
  linear_gelu(fc1, normed, hidden);
  add_gated_linear(fc2, hidden, mlp_gate, normed, tokens);
}

DoubleBlock::DoubleBlock(const Config& config, weights::WeightStore& store, int64_t index)
    : width_(config.width()),
      image_(store, "double_blocks." + std::to_string(index) + ".img_"),
      text_(store, "double_blocks." + std::to_string(index) + ".txt_") {}

void DoubleBlock::forward(at::Tensor tokens, const BlockContext& context, Workspace& workspace,
                          int64_t layer) const {
  const int64_t text = context.text_length;
  const int64_t image = tokens.size(0) - text;
  const at::Tensor hidden = workspace.wide.narrow(1, width_, workspace.wide.size(1) - width_);
  const auto image_rows = [image](const at::Tensor& x) { return x.narrow(0, 0, image); };
  const auto text_rows = [image, text](const at::Tensor& x) { return x.narrow(0, image, text); };

  const auto image_vectors = image_.modulation(context.activated);
  const auto text_vectors = text_.modulation(context.activated);
  image_.project(image_rows(tokens), image_vectors, &context.rope, image_rows(workspace.normed),
                 image_rows(workspace.qkv));
  text_.project(text_rows(tokens), text_vectors, nullptr, text_rows(workspace.normed),
                text_rows(workspace.qkv));
  const at::Tensor attended = attend(workspace, context, layer);
  image_.update(image_rows(tokens), image_vectors, image_rows(attended),
                image_rows(workspace.normed), image_rows(hidden));
  text_.update(text_rows(tokens), text_vectors, text_rows(attended), text_rows(workspace.normed),
               text_rows(hidden));
}

}  // namespace reel::dit
