// Single-stream block: image and text share their weights, attention and MLP run side by side.
// Shape letters (docs/SHAPES.md): S = N + L joint tokens, image first, D head dim, M model width.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "dit/block_context.h"
#include "dit/config.h"
#include "dit/linear.h"
#include "dit/modulation.h"

namespace reel::dit {

class SingleBlock {
 public:
  /// Takes the tensors of single_blocks.`index`.
  SingleBlock(const Config& config, weights::WeightStore& store, int64_t index);

  /// Updates `tokens` [S, M] in place (spec/hunyuanvideo.md 1.7). `layer` is the block's number for
  /// attention, which counts the double blocks first.
  void forward(at::Tensor tokens, const BlockContext& context, Workspace& workspace,
               int64_t layer) const;

 private:
  SingleBlock(const Config& config, weights::WeightStore& store, const std::string& prefix);

  int64_t width_;
  Modulation<3> modulation_;
  Linear linear1_;  // to q, k, v and the MLP's hidden features; the next two are its rows
  Linear qkv_;
  Linear mlp_;
  at::Tensor q_norm_;  // [D]
  at::Tensor k_norm_;  // [D]
  Linear linear2_;     // from attention and the MLP's hidden features
};

}  // namespace reel::dit
