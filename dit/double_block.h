// Double-stream block: image and text keep their own weights and meet only in attention.
// Shape letters (docs/SHAPES.md): N image tokens, L text tokens, S = N + L, D head dim, M model
// width.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "dit/block_context.h"
#include "dit/config.h"
#include "dit/linear.h"
#include "dit/modulation.h"

namespace reel::dit {

class DoubleBlock {
 public:
  /// Takes the tensors of double_blocks.`index`.
  DoubleBlock(const Config& config, weights::WeightStore& store, int64_t index);

  /// Updates `tokens` [S, M], image first, in place (spec/hunyuanvideo.md 1.6). `layer` is the
  /// block's number for attention.
  void forward(at::Tensor tokens, const BlockContext& context, Workspace& workspace,
               int64_t layer) const;

 private:
  // One of the two streams. Row ranges of tokens and workspace are those of the stream.
  struct Stream {
    Stream(weights::WeightStore& store, const std::string& prefix);

    // Fills `qkv` [R, 3, A, D], q and k normalised; rotated too where `rope` is not null.
    void project(const at::Tensor& tokens, const std::array<at::Tensor, 6>& vectors,
                 const Rope* rope, at::Tensor normed, at::Tensor qkv) const;

    // Adds the attention's output and the MLP to `tokens`.
    void update(at::Tensor tokens, const std::array<at::Tensor, 6>& vectors,
                const at::Tensor& attended, at::Tensor normed, at::Tensor hidden) const;

    Modulation<6> modulation;
    Linear qkv_linear;
    at::Tensor q_norm;  // [D]
    at::Tensor k_norm;  // [D]
    Linear proj;
    Linear fc1;
    Linear fc2;
  };

  int64_t width_;
  Stream image_;
  Stream text_;
};

}  // namespace reel::dit
