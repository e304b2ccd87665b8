// Fading one tile into the next where they overlap.
#pragma once

#include <ATen/core/Tensor.h>

namespace reel::vae {

/// Mixes the first E samples of `tile` along `dim` with the last E of `previous`, in place:
/// tile[y] = previous[len - E + y] (1 - y / E) + tile[y] y / E with E = min(extent, both lengths)
/// (spec/hunyuanvideo.md 5.5). Both are of one dtype and device and agree in all other dimensions.
/// Nothing happens if a length is 0.
void blend_(const at::Tensor& tile, const at::Tensor& previous, int64_t dim, int64_t extent);

}  // namespace reel::vae
