// The VAE's steps on a CPU in fp32 as fused loops: normalisation, activation and padding write the
// convolution's input in one pass, edges are repeated by pointing at them, up-sampling is folded
// into the weights, and residuals are added where results are stored. The plain LibTorch versions
// beside the callers are the oracle. B batch, C channels, T h w the grid at a layer's resolution
// (docs/SHAPES.md). "Channels last" is [B, C, T, h, w] whose memory is ordered [B, T, h, w, C].
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "vae/resolution.h"

namespace reel::vae {

/// True for what the fused loops handle: fp32 on a CPU.
bool can_fuse(const at::Tensor& weight);

/// A convolution's weights in the order that the inner loop reads them.
class PackedConv {
 public:
  PackedConv() = default;

  /// weight [C_out, C_in, k_t, k_h, k_w], bias [C_out]; fp32 on a CPU.
  PackedConv(const at::Tensor& weight, const at::Tensor& bias);

  int64_t in_channels() const { return in_channels_; }
  int64_t out_channels() const { return out_channels_; }
  int64_t num_rows() const { return num_rows_; }  ///< k_t k_h
  int64_t run() const { return run_; }            ///< k_w C_in
  const float* weight() const { return weight_.const_data_ptr<float>(); }
  const float* bias() const { return bias_.const_data_ptr<float>(); }

 private:
  int64_t in_channels_ = 0;
  int64_t out_channels_ = 0;
  int64_t num_rows_ = 0;
  int64_t run_ = 0;
  at::Tensor weight_;  // [C_out / 16 rounded up, num_rows * run, 16]
  at::Tensor bias_;    // [C_out rounded up to 16]
};

/// x [B, C, T, h, w] -> [B, T, h, w + 2, C], contiguous: channels last, edge columns repeated.
at::Tensor pad_columns(const at::Tensor& x);

/// The same for silu(group_norm(x)); weight and bias [C].
at::Tensor norm_silu_columns(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             int64_t num_groups);

/// A causal 3 x 3 x 3 convolution. columns [B, T, h, w + 2, C_in] from above; `residual` is added
/// if it is defined. Returns [B, C_out, (T - 1) / time + 1, h / space, w / space], channels last.
at::Tensor convolve_causally(const at::Tensor& columns, const PackedConv& conv, ScaleFactor stride,
                             const at::Tensor& residual);

/// A 1 x 1 x 1 convolution. x [B, C_in, T, h, w] -> [B, C_out, T, h, w], channels last.
at::Tensor convolve_pointwise(const at::Tensor& x, const PackedConv& conv);

/// A causal 3 x 3 x 3 convolution over the nearest up-sampling of its input, without ever making
/// it. An output sample sees two different input samples along an up-sampled axis, so that its
/// three taps fold into two, differently for even and odd outputs.
class FoldedUpsampleConv {
 public:
  /// weight [C, C, 3, 3, 3], bias [C]; space must be 2 and time 1 or 2.
  FoldedUpsampleConv(const at::Tensor& weight, const at::Tensor& bias, ScaleFactor factor);

  /// columns [B, T, h, w + 2, C] of the input -> [B, C, (T - 1) time + 1, 2 h, 2 w], channels last.
  at::Tensor forward(const at::Tensor& columns) const;

 private:
  void run_row(const at::Tensor& columns, const at::Tensor& out, int64_t row) const;

  ScaleFactor factor_;
  std::array<PackedConv, 8> phases_;  // 4 * (odd frame) + 2 * (odd row) + (odd column)
};

}  // namespace reel::vae
