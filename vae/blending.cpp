#include "vae/blending.h"

#include <algorithm>

namespace reel::vae {

void blend_(const at::Tensor& tile, const at::Tensor& previous, int64_t dim, int64_t extent) {
  const int64_t e = std::min({extent, tile.size(dim), previous.size(dim)});
  if (e == 0) return;
  std::vector<int64_t> broadcast(static_cast<size_t>(tile.dim()), 1);
  broadcast[static_cast<size_t>(dim)] = e;
  const at::Tensor fraction =
      at::arange(e, at::TensorOptions().dtype(at::kDouble)).div_(static_cast<double>(e));
  const at::Tensor fade_in = fraction.to(tile.options()).view(broadcast);
  const at::Tensor fade_out = (1.0 - fraction).to(tile.options()).view(broadcast);
  tile.narrow(dim, 0, e).mul_(fade_in).add_(previous.narrow(dim, previous.size(dim) - e, e) *
                                            fade_out);
}

}  // namespace reel::vae
