// Where finished clips go: implemented by the program, called by the pipeline.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>

#include "media/frame_sink.h"
#include "pipeline/run_report.h"

namespace reel::pipeline {

/// Takes the clips of one request, one after the other. For each clip the pipeline calls
/// keep_latents(), frames(), the sink's write() until all frames are there, then complete().
/// If it throws before complete(), no video of that clip appears, but its latents are kept.
class ClipOutputs {
 public:
  ClipOutputs() = default;
  virtual ~ClipOutputs() = default;
  ClipOutputs(const ClipOutputs&) = delete;
  ClipOutputs& operator=(const ClipOutputs&) = delete;

  /// The final latents of clip `clip` (an index into the request's seeds): [1, C, T, h, w] fp32 on
  /// the CPU, scaled as the transformer sees them.
  virtual void keep_latents(size_t clip, const at::Tensor& latents) = 0;

  /// Takes the clip's frames. Its finish() is not the pipeline's to call: complete() does.
  virtual media::FrameSink& frames(size_t clip) = 0;

  /// All frames were written and checked: the files get their metadata and their names.
  virtual void complete(size_t clip, const RunIdentity& identity, const ClipReport& report) = 0;
};

}  // namespace reel::pipeline
