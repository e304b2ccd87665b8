#include "pipeline/memory_check.h"

#include <c10/core/ScalarType.h>

#include <algorithm>
#include <cmath>
#include <iomanip>

#include "core/error.h"
#include "dit/block_places.h"
#include "dit/block_stream.h"
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

int64_t offloaded_bytes(const dit::Config& config, const ComputeChoice& compute) {
  if (compute.offload != Offload::kBlocks) return 0;
  return dit::total_block_bytes(dit::block_places(config, bytes_of(compute.dtype)));
}

// On the device, slots of offloaded blocks included.
int64_t transformer_weight_bytes(const dit::Config& config, const ComputeChoice& compute) {
  const int64_t all = dit::weight_table(config).num_parameters() * bytes_of(compute.dtype);
  if (compute.offload != Offload::kBlocks) return all;
  const auto places = dit::block_places(config, bytes_of(compute.dtype));
  return std::max<int64_t>(all - dit::total_block_bytes(places), 0) +
         dit::kBlockSlots * dit::largest_block_bytes(places);
}

std::string hints(const ComputeChoice& compute) {
  const bool may_offload = compute.device.is_cuda() && compute.offload != Offload::kBlocks;
  return may_offload ? "--offload blocks, " : "";
}

}  // namespace

MemoryNeed estimate_memory(const dit::Config& transformer, const vae::Config& vae,
                           const LatentGeometry& geometry, const vae::TilePlan& plan,
                           const ComputeChoice& compute) {
  const int64_t transformer_bytes = transformer_weight_bytes(transformer, compute);
  const int64_t decoder_bytes =
      vae::decoder_table(vae).num_parameters() * bytes_of(compute.vae_dtype);
  const bool together = compute.offload != Offload::kModels;
  const MemoryNeed denoising = {
      transformer_bytes + (together ? decoder_bytes : 0),
      block_activation_bytes(transformer, geometry.max_tokens(), compute.dtype)};
  const MemoryNeed decoding = {decoder_bytes + (together ? transformer_bytes : 0),
                               tile_activation_bytes(vae, plan, compute.vae_dtype)};
  return denoising.total_bytes() > decoding.total_bytes() ? denoising : decoding;
}

void check_memory(const GenerationRequest& request, const weights::ModelFolder& folder) {
  const auto geometry = request.geometry();
  const auto transformer = read_transformer_config(folder);
  const auto need =
      estimate_memory(transformer, read_vae_config(folder), geometry,
                      plan_vae_tiles(request.vae_tiling, geometry.latents), request.compute);
  const int64_t offloaded = offloaded_bytes(transformer, request.compute);
  const int64_t free_on_host = free_bytes(at::Device(at::kCPU));
  if (offloaded > free_on_host) {
    fail<OutOfMemory>("memory: too little is free on the host for offloaded blocks: have ",
                      gigabytes(free_on_host), ", need ", gigabytes(offloaded),
                      "; try --offload models");
  }
  const int64_t free = free_bytes(request.compute.device);
  if (need.total_bytes() <= free) return;
  fail<OutOfMemory>("memory: too little is free on ", request.compute.device.str(), ": have ",
                    gigabytes(free), ", need at least ", gigabytes(need.total_bytes()), " (",
                    gigabytes(need.weight_bytes), " weights, ", gigabytes(need.activation_bytes),
                    " activations); try ", hints(request.compute),
                    "fewer frames, a smaller size or --vae-tiling on");
}

}  // namespace reel::pipeline
