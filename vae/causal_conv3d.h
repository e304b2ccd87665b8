// Convolution over time and space that never looks at later frames.
// B batch, C channels, T h w the grid at this layer's resolution (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "vae/backend.h"
#include "vae/fused_conv.h"
#include "vae/resolution.h"
#include "weights/weight_store.h"

namespace reel::vae {

/// Repeats the border as a 3 x 3 x 3 causal convolution wants it: one row and column on each side,
/// two frames in front, none behind. x [B, C, T, h, w] -> [B, C, T + 2, h + 2, w + 2].
at::Tensor pad_causally(const at::Tensor& x);

/// A 3 x 3 x 3 convolution over the causally padded input (spec/hunyuanvideo.md 5.2).
class CausalConv3d {
 public:
  /// Takes `stem`.conv.weight [C_out, C_in, 3, 3, 3] and `stem`.conv.bias [C_out].
  CausalConv3d(weights::WeightStore& store, const std::string& stem, ScaleFactor stride,
               Backend backend);

  /// x [B, C_in, T, h, w], any strides -> [B, C_out, (T - 1) / time + 1, h / space, w / space] for
  /// even h and w where space is 2.
  at::Tensor forward(const at::Tensor& x) const;

  /// Whether this layer runs as fused loops, which its neighbours may then feed.
  bool fused() const { return packed_.has_value(); }

  /// Needs fused(). columns [B, T, h, w + 2, C_in] as pad_columns() makes them; adds `residual` of
  /// the output's shape if it is defined.
  at::Tensor forward_columns(const at::Tensor& columns, const at::Tensor& residual) const;

  /// Whether this layer runs on a GPU's fused kernels (gpu_layers.h), which its neighbours may
  /// feed.
  bool on_gpu() const { return on_gpu_; }

  /// Needs on_gpu(). padded [B, C_in, T + 2, h + 2, w + 2] -> the convolution without its bias,
  /// C_out filled up to a multiple of 8.
  at::Tensor forward_padded(const at::Tensor& padded) const;

  /// The same with bias and `residual`, if it is defined, and without what was filled up.
  at::Tensor forward_padded(const at::Tensor& padded, const at::Tensor& residual) const;

  /// [C_out], where it is on_gpu() filled up like the output.
  const at::Tensor& bias() const { return bias_; }

 private:
  at::Tensor weight_;  // undefined where packed_ holds it
  at::Tensor bias_;
  int64_t out_channels_;
  bool on_gpu_ = false;
  std::optional<PackedConv> packed_;
  ScaleFactor stride_;
};

}  // namespace reel::vae
