#include "pipeline/memory_check.h"

#include <c10/core/ScalarType.h>

#include <algorithm>
#include <cmath>
#include <iomanip>

#include "core/error.h"
#include "dit/weight_table.h"
#include "pipeline/device_facts.h"
#include "pipeline/models.h"
#include "vae/weight_table.h"

namespace reel::pipeline {
namespace {

int64_t bytes_of(at::ScalarType dtype) {
  return static_cast<int64_t>(c10::elementSize(dtype));
}

int64_t block_activation_bytes(const dit::Config& config, int64_t num_tokens,
                               at::ScalarType dtype) {
  const int64_t width = config.width();
  // Stream and its normalised copy, q k v and MLP input, attention output beside GELU's.
  const int64_t per_token = 2 * width + 3 * width + 2 * config.mlp_width + width;
  return num_tokens * per_token * bytes_of(dtype);
}

int64_t longest(const std::vector<vae::Window>& windows) {
  int64_t size = 0;
  for (const auto& window : windows) size = std::max(size, window.size());
  return size;
}

// At full resolution the decoder's last two blocks hold the most: the input, the normalised copy
// and the output of a convolution at the width of the block before the last.
int64_t tile_activation_bytes(const vae::Config& config, const vae::TilePlan& plan,
                              at::ScalarType dtype) {
  const int64_t frames = vae::num_video_frames(longest(plan.time.windows));
  const int64_t pixels = longest(plan.rows.windows) * longest(plan.columns.windows) *
                         vae::kSpatialRatio * vae::kSpatialRatio;
  return 3 * frames * pixels * config.block_channels.at(1) * bytes_of(dtype);
}

std::string gigabytes(int64_t bytes) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << static_cast<double>(bytes) / 1e9 << " GB";
  return text.str();
}

}  // namespace

MemoryNeed estimate_memory(const dit::Config& transformer, const vae::Config& vae,
                           const LatentGeometry& geometry, const vae::TilePlan& plan,
                           const ComputeChoice& compute) {
  MemoryNeed need;
  need.weight_bytes = dit::weight_table(transformer).num_parameters() * bytes_of(compute.dtype) +
                      vae::decoder_table(vae).num_parameters() * bytes_of(compute.vae_dtype);
  need.activation_bytes =
      std::max(block_activation_bytes(transformer, geometry.max_tokens(), compute.dtype),
               tile_activation_bytes(vae, plan, compute.vae_dtype));
  return need;
}

void check_memory(const GenerationRequest& request, const weights::ModelFolder& folder) {
  const auto geometry = request.geometry();
  const auto need =
      estimate_memory(read_transformer_config(folder), read_vae_config(folder), geometry,
                      plan_vae_tiles(request.vae_tiling, geometry.latents), request.compute);
  const int64_t free = free_bytes(request.compute.device);
  if (need.total_bytes() <= free) return;
  fail<OutOfMemory>("memory: too little is free on ", request.compute.device.str(), ": have ",
                    gigabytes(free), ", need at least ", gigabytes(need.total_bytes()), " (",
                    gigabytes(need.weight_bytes), " weights, ", gigabytes(need.activation_bytes),
                    " activations); try fewer frames, a smaller size or --vae-tiling on");
}

}  // namespace reel::pipeline
