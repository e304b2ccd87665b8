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
  int64_t weight_bytes = 0;      ///< of the transformer, and of the decoder
  int64_t activation_bytes = 0;  ///< the larger of a transformer block's and a VAE tile's

  int64_t total_bytes() const { return weight_bytes + activation_bytes; }
};

/// A lower bound, from sizes alone: the transformer's and the decoder's weights, and either the
/// widest tensors of one transformer block (residual stream, joint q, k, v and MLP input, attention
/// output with GELU) or the three widest tensors of a VAE tile, whichever is more.
MemoryNeed estimate_memory(const dit::Config& transformer, const vae::Config& vae,
                           const LatentGeometry& geometry, const vae::TilePlan& plan,
                           const ComputeChoice& compute);

/// Throws OutOfMemory, with what is needed and what is free, if the estimate for the request does
/// not fit the free memory of its device.
void check_memory(const GenerationRequest& request, const weights::ModelFolder& folder);

}  // namespace reel::pipeline
