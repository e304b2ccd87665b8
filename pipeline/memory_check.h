// Refuses work that cannot fit, before anything is loaded.
#pragma once

#include <cstdint>

#include "dit/config.h"
#include "pipeline/generation_request.h"
#include "vae/config.h"
#include "vae/tile_plan.h"
#include "weights/model_folder.h"

namespace reel::pipeline {

/// Bytes that a run needs at least at its largest moment on its device.
struct MemoryNeed {
  int64_t weight_bytes = 0;      ///< of the models that are there then
  int64_t activation_bytes = 0;  ///< of a transformer block, or of a VAE tile

  int64_t total_bytes() const { return weight_bytes + activation_bytes; }
};

/// A lower bound, from sizes alone, of the denoising or of the decoding, whichever needs more: the
/// weights that `compute.offload` leaves on the device then, and the widest tensors of one
/// transformer block (residual stream, joint q, k, v and MLP input, attention output with GELU) or
/// the three widest tensors of a VAE tile.
MemoryNeed estimate_memory(const dit::Config& transformer, const vae::Config& vae,
                           const LatentGeometry& geometry, const vae::TilePlan& plan,
                           const ComputeChoice& compute);

/// Throws OutOfMemory, with what is needed and what is free, if the estimate for the request does
/// not fit the free memory of its device, or offloaded blocks not that of the host.
void check_memory(const GenerationRequest& request, const weights::ModelFolder& folder);

}  // namespace reel::pipeline
