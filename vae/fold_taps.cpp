#include "vae/fold_taps.h"

#include <ATen/ATen.h>

namespace reel::vae {
namespace {

// Folds the three taps along `dim` into the two of an even (0) or odd (1) output sample.
at::Tensor fold(const at::Tensor& weight, int64_t dim, int64_t odd) {
  const auto taps = weight.split(1, dim);
  return odd == 0 ? at::cat({taps[0], taps[1] + taps[2]}, dim)
                  : at::cat({taps[0] + taps[1], taps[2]}, dim);
}

}  // namespace

at::Tensor fold_taps(const at::Tensor& weight, ScaleFactor factor, int64_t phase) {
  const at::Tensor folded = fold(fold(weight, 4, phase % 2), 3, phase / 2 % 2);
  return factor.time == 2 ? fold(folded, 2, phase / 4) : folded;
}

}  // namespace reel::vae
