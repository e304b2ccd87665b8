// From latents to finished pixels.
// Shape letters (docs/SHAPES.md): C channels, T h w the latent grid, F H W frames and pixels.
#pragma once

#include <ATen/core/Tensor.h>

#include "media/frame_sink.h"
#include "pipeline/progress.h"
#include "pipeline/stop_request.h"
#include "vae/decoder.h"
#include "vae/tile_plan.h"

namespace reel::pipeline {

/// Decodes `latents` [1, C, T, h, w] fp32 as the transformer left them and streams the frames,
/// checked, as 8-bit pixels into `sink`, which works in a thread of its own while the next tiles
/// decode, is given a few frames at a time, and whose finish() is left to the caller. Throws
/// OutputError if a value is not finite, all pixels have one colour, or frames are missing; what
/// the sink throws; Interrupted between tiles and frames.
void decode_video(const vae::Decoder& decoder, const at::Tensor& latents, const vae::TilePlan& plan,
                  media::FrameSink& sink, Progress& progress, const StopRequest& stop);

}  // namespace reel::pipeline
