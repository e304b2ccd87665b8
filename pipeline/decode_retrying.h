// Decoding that takes smaller tiles where memory runs out.
// Shape letters (docs/SHAPES.md): C channels, T h w the latent grid.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "media/frame_sink.h"
#include "pipeline/progress.h"
#include "pipeline/stop_request.h"
#include "pipeline/vae_tiling.h"
#include "vae/decoder.h"

namespace reel::pipeline {

/// Opens where the frames of an attempt go. `again`: an earlier attempt wrote some, which are void
/// now; null if that cannot be.
using OpenSink = std::function<media::FrameSink*(bool again)>;

/// decode_video() (decode.h) in the tiles of `tiling`, and if memory runs out, with the next
/// smaller ones (smaller_tilings()), which the progress is told, until none is left. Returns the
/// tiling that it took. Throws as decode_video() does, and OutOfMemory.
VaeTiling decode_retrying(const vae::Decoder& decoder, const at::Tensor& latents,
                          const VaeTiling& tiling, const OpenSink& open, Progress& progress,
                          const StopRequest& stop);

}  // namespace reel::pipeline
