// A VAE decoder with random weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "vae/config.h"
#include "vae/decoder.h"

namespace reel::benchmarks {

/// "full": HunyuanVideo's sizes; "speed": small ones, for a CPU.
vae::Config vae_config(const std::string& model);

/// Weights scaled so that activations keep their size.
vae::Decoder draw_decoder(const vae::Config& config, at::Device device, at::ScalarType dtype,
                          vae::Backend backend = vae::Backend::kBest);

}  // namespace reel::benchmarks
