#include "dit/patch_embed.h"

#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::dit {

TokenGrid token_grid(const Config& config, at::IntArrayRef latent_shape) {
  const std::array<int64_t, 3> patch = {config.patch_size_t, config.patch_size, config.patch_size};
  TokenGrid grid{};
  for (size_t i = 0; i < grid.size(); ++i) {
    const int64_t size = latent_shape.at(i + 1);
    grid.at(i) = size / patch.at(i);
    if (size < 1 || size % patch.at(i) != 0) {
      fail<ShapeError>("dit: latents do not divide into patches: got ", shape_text(latent_shape),
                       ", want T, h, w in multiples of ", shape_text(patch));
    }
  }
  return grid;
}

at::Tensor to_patches(const Config& config, const at::Tensor& latents) {
  const auto [t, y, x] = token_grid(config, latents.sizes());
  const int64_t p = config.patch_size;
  return latents.reshape({config.channels, t, config.patch_size_t, y, p, x, p})
      .permute({1, 3, 5, 0, 2, 4, 6})
      .reshape({t * y * x, config.patch_elements()});
}

at::Tensor from_patches(const Config& config, const at::Tensor& patches, const TokenGrid& grid) {
  const auto [t, y, x] = grid;
  const int64_t p = config.patch_size;
  return patches.reshape({t, y, x, config.channels, config.patch_size_t, p, p})
      .permute({3, 0, 4, 1, 5, 2, 6})
      .reshape({config.channels, t * config.patch_size_t, y * p, x * p});
}

PatchEmbed::PatchEmbed(const Config& config, weights::WeightStore& store)
    : config_(config),
      proj_(store.take_weight("img_in.proj").reshape({config.width(), config.patch_elements()}),
            store.take_bias("img_in.proj")) {}

void PatchEmbed::into(const at::Tensor& latents, at::Tensor out) const {
  proj_.into(to_patches(config_, latents.to(proj_.options())), std::move(out));
}

}  // namespace reel::dit
