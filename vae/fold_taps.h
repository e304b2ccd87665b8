// A causal 3 x 3 x 3 convolution over nearest up-sampling, folded into its weights: an output
// sample sees two different input samples along an up-sampled axis, so that its three taps become
// two.
#pragma once

#include <ATen/core/Tensor.h>

#include "vae/resolution.h"

namespace reel::vae {

/// weight [C_out, C_in, 3, 3, 3] -> [C_out, C_in, 2 or 3, 2, 2] for output samples of `phase`, 4 *
/// (odd frame) + 2 * (odd row) + (odd column); frames are folded if factor.time is 2. An even
/// sample's taps lie on the input sample before and on its own, an odd one's on its own and the one
/// behind; in time, where nothing later is seen, both lie one earlier.
at::Tensor fold_taps(const at::Tensor& weight, ScaleFactor factor, int64_t phase);

}  // namespace reel::vae
