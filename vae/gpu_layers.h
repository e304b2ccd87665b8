// The VAE's steps between convolutions on a GPU, and the convolutions that they feed: fp16 or bf16,
// channels last all the way, borders written where the convolution reads them. The plain LibTorch
// versions beside the callers are the oracle (docs/kernels/vae.md).
// B batch, C channels, T h w the grid at a layer's resolution (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "vae/resolution.h"

namespace reel::vae::gpu {

/// True if layers with this convolution weight run here: fp16 or bf16 on a GPU of compute
/// capability 8.0 or later, C_in a multiple of 8 and at most 2048; false in builds without CUDA.
bool can_fuse(const at::Tensor& weight);

/// True if these kernels normalise C channels in `num_groups` groups: C / num_groups % 4 == 0.
bool can_normalise(int64_t channels, int64_t num_groups);

/// x [B, C, T, h, w] with channels last in memory; a copy only if they are not.
at::Tensor channels_last(const at::Tensor& x);

/// A convolution's weight [C_out, C_in, ...] as the fast kernels want it: channels last, C_out
/// filled up with zeros to a multiple of 8.
at::Tensor pack_weight(const at::Tensor& weight);

/// at::conv3d without a bias, channels last in and out. weight from pack_weight().
at::Tensor convolve(const at::Tensor& x, const at::Tensor& packed_weight, ScaleFactor stride = {});

/// The border of a causal 3 x 3 x 3 convolution, repeated: [B, C, T + 2, h + 2, w + 2].
at::Tensor pad_causally(const at::Tensor& x);

/// silu(group_norm(x + input_bias)) with that border; weight, bias and input_bias [C], the last may
/// be undefined.
at::Tensor norm_silu_pad(const at::Tensor& x, const at::Tensor& input_bias,
                         const at::Tensor& weight, const at::Tensor& bias, int64_t num_groups);

/// x += bias + residual, in place. x and residual [B, C, T, h, w], bias [C]; residual may be
/// undefined.
void add_(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& residual);

/// A 1 x 1 x 1 convolution: x [B, C_in, T, h, w] -> [B, C_out, T, h, w]. weight [C_out, C_in, 1, 1,
/// 1], bias [C_out].
at::Tensor convolve_pointwise(const at::Tensor& x, const at::Tensor& weight,
                              const at::Tensor& bias);

/// A causal 3 x 3 x 3 convolution over the nearest up-sampling of its input. Folded: an output
/// sample sees two different input samples along an up-sampled axis, so that its three taps become
/// two, differently for even and odd outputs: 8 or 4 small convolutions of the input whose results
/// are woven together, 8/27 or 12/27 of the work.
class UpsampleConv {
 public:
  /// weight [C, C, 3, 3, 3], bias [C]; space must be 2 and time 1 or 2.
  UpsampleConv(const at::Tensor& weight, const at::Tensor& bias, ScaleFactor factor, bool folded);

  /// x [B, C, T, h, w] -> [B, C, (T - 1) time + 1, 2 h, 2 w].
  at::Tensor forward(const at::Tensor& x) const;

 private:
  at::Tensor forward_folded(const at::Tensor& x) const;

  ScaleFactor factor_;
  bool folded_;
  std::array<at::Tensor, 8> phases_;  // 4 * (odd frame) + 2 * (odd row) + (odd column)
  at::Tensor weight_;                 // undefined if folded
  at::Tensor bias_;
};

}  // namespace reel::vae::gpu
