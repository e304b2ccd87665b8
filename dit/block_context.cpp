#include "dit/block_context.h"

#include <ATen/ops/empty.h>

namespace reel::dit {

Workspace::Workspace(const Config& config, int64_t num_tokens, const at::TensorOptions& options)
    : normed(at::empty({num_tokens, config.width()}, options)),
      qkv(at::empty({num_tokens, 3, config.num_heads, config.head_dim}, options)),
      wide(at::empty({num_tokens, config.width() + config.mlp_width}, options)) {}

at::Tensor attend(const Workspace& workspace, const BlockContext& context, int64_t layer) {
  const at::Tensor qkv = workspace.qkv.unsqueeze(0);  // [1, S, 3, A, D]
  at::Tensor attended = workspace.wide.narrow(1, 0, qkv.size(3) * qkv.size(4));
  context.attention(qkv.select(2, 0), qkv.select(2, 1), qkv.select(2, 2), context.text_length,
                    layer, attended.unflatten(1, {qkv.size(3), qkv.size(4)}).unsqueeze(0));
  return attended;
}

}  // namespace reel::dit
