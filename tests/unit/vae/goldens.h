// The tiny VAE of the goldens, drawn as tools/goldens/vae.py draws it, and that script's cases.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vae/config.h"
#include "vae/decoder.h"
#include "vae/encoder.h"
#include "vae/tile_plan.h"
#include "weights/tensor_source.h"
#include "weights/weight_store.h"

namespace reel::vae::testing {

/// The seed of every input.
inline constexpr uint64_t kInputSeed = 11;

/// One call whose result is kept under `name`.
struct Case {
  std::string name;
  std::vector<int64_t> input_shape;
  std::optional<Tiling> tiling;
};

/// Calls to decode: latents [B, 4, T, h, w].
std::vector<Case> decode_cases();
/// Calls to encode: frames [B, 3, F, H, W], to be clamped to [-1, 1].
std::vector<Case> encode_cases();

Config golden_config();

/// Drawn weights of both halves of `config`.
weights::WeightStore drawn_weights(const Config& config, at::Device device = at::kCPU,
                                   at::ScalarType dtype = at::kFloat);

/// The input of a case: standard normal fp32.
at::Tensor drawn_input(const std::vector<int64_t>& shape);

/// tests/data/vae/<file>.safetensors.
weights::TensorSource open_goldens(const std::string& file);

}  // namespace reel::vae::testing
