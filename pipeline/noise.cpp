#include "pipeline/noise.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/random.h"
#include "core/tensor_check.h"
#include "weights/safetensors.h"

namespace reel::pipeline {
namespace {

at::Tensor read_noise(const std::filesystem::path& file, const std::vector<int64_t>& shape) {
  const std::string where = "--latents: " + file.string();
  std::optional<weights::TensorSource> source;
  try {
    source = weights::open_safetensors(file);
  } catch (const WeightError& error) {  // the user's file, not the model's
    throw ConfigError(std::string("--latents: ") + error.what());
  }
  const auto* info = source->find("noise");
  if (info == nullptr) fail<ConfigError>(where, ": tensor is missing: want noise");
  if (source->infos().size() != 1) {
    fail<ConfigError>(where, ": ", source->infos().size(), " tensors: want noise alone");
  }
  if (info->shape != shape) {
    fail<ConfigError>(where, ": noise: wrong shape: got ", shape_text(info->shape), ", want ",
                      shape_text(shape));
  }
  if (!at::isFloatingType(info->dtype)) {
    fail<ConfigError>(where, ": noise: wrong dtype: got ", c10::toString(info->dtype),
                      ", want fp32, fp16 or bf16");
  }
  at::Tensor noise = source->tensor("noise").to(at::kFloat);
  if (!at::isfinite(noise).all().item<bool>()) {
    fail<ConfigError>(where, ": noise: holds values that are not finite");
  }
  return noise;
}

}  // namespace

at::Tensor make_noise(const GenerationRequest& request, uint64_t seed, int64_t channels) {
  const auto size = request.geometry().latents;
  const std::vector<int64_t> shape{1, channels, size.frames, size.rows, size.columns};
  if (request.noise_file) return read_noise(*request.noise_file, shape);
  return NormalStream(seed).next(shape);
}

}  // namespace reel::pipeline
