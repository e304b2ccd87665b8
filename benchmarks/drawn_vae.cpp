#include "benchmarks/drawn_vae.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/random.h"
#include "vae/weight_table.h"

namespace reel::benchmarks {

vae::Config vae_config(const std::string& model) {
  const bool full = model == "full";
  vae::Config config;
  config.latent_channels = 16;
  config.block_channels = {24, 48, 64, 64};
  if (full) config.block_channels = {128, 256, 512, 512};
  config.layers_per_block = full ? 2 : 1;
  config.num_groups = full ? 32 : 2;
  config.mid_attention = true;
  config.scaling_factor = 0.476986;
  return config;
}

vae::Decoder draw_decoder(const vae::Config& config, at::Device device, at::ScalarType dtype,
                          vae::Backend backend) {
  NormalStream stream(1);
  at::manual_seed(1);
  const auto next = [&](const std::vector<int64_t>& shape) {  // a GPU draws its own, in no time
    return device.is_cuda() ? at::randn(shape, at::TensorOptions().device(device))
                            : stream.next(shape);
  };
  std::map<std::string, at::Tensor> tensors;
  const auto table = vae::decoder_table(config);
  for (const auto& spec : table.specs()) {
    const auto fan_in = static_cast<double>(spec.num_elements() / spec.shape[0]);
    const bool norm_weight = spec.shape.size() == 1 && spec.name.ends_with("norm.weight");
    tensors[spec.name] =
        (next(spec.shape) / std::sqrt(fan_in) + (norm_weight ? 1.0 : 0.0)).to(device, dtype);
  }
  weights::WeightStore store(std::move(tensors));
  return {config, store, backend};
}

}  // namespace reel::benchmarks
