// Element-wise work between the matrix products: normalisation, modulation, rotation, gates.
// Everything is computed in fp32 and rounded once, to the dtype of the result.
// Shape letters (docs/SHAPES.md): S tokens, A heads, D head dim, M model width; R any rows.
#pragma once

#include <ATen/core/Tensor.h>

#include "dit/rope.h"

namespace reel::dit {

/// Epsilon of every layer norm and RMS norm of the model.
inline constexpr double kNormEpsilon = 1e-6;

/// out = layer_norm(x) * (1 + scale) + shift over rows, without affine weights. x and out [R, M]
/// with contiguous rows, shift and scale [M]; one dtype and device. x and out may be the same
/// tensor.
void layer_norm_modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         at::Tensor out);

/// x += gate * y. x and y [R, M] with contiguous rows, gate [M].
void add_gated_(at::Tensor x, const at::Tensor& y, const at::Tensor& gate);

/// RMS-normalises each head of q (or k) in place and multiplies by `weight` [D].
/// x [S, A, D], heads contiguous, tokens a stride apart.
void qk_norm_(at::Tensor x, const at::Tensor& weight);

/// The same, then rotates the first rope.num_tokens() tokens of x.
void qk_norm_rope_(at::Tensor x, const at::Tensor& weight, const Rope& rope);

/// Both for the queries and keys of qkv [S, 3, A, D], each by its own weight [D]; values stay. No
/// token is rotated if `rope` is null.
void qk_norms_rope_(at::Tensor qkv, const at::Tensor& q_weight, const at::Tensor& k_weight,
                    const Rope* rope);

/// The plain LibTorch formulas, for any device and dtype, and the oracle of the fast ones.
namespace plain {

void layer_norm_modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale,
                         at::Tensor out);
void add_gated_(at::Tensor x, const at::Tensor& y, const at::Tensor& gate);
void qk_norm_(at::Tensor x, const at::Tensor& weight);
void qk_norm_rope_(at::Tensor x, const at::Tensor& weight, const Rope& rope);

}  // namespace plain
}  // namespace reel::dit
