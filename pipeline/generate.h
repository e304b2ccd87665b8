// A prompt becomes clips: the algorithm from text to finished frames.
#pragma once

#include "pipeline/clip_outputs.h"
#include "pipeline/generation_request.h"
#include "pipeline/progress.h"
#include "pipeline/renderer.h"
#include "pipeline/stop_request.h"
#include "weights/model_folder.h"

namespace reel::pipeline {

/// Renders every clip of `request` with the models of `folder` into `outputs`. The text encoders
/// load, encode and leave; the transformer stays for all clips; the VAE's decoder comes last and
/// stays too. Throws WeightError for a broken folder, OutOfMemory where weights and activations
/// cannot fit (before loading), ConfigError for a noise file that does not fit the request,
/// OutputError for a result that is not finite or flat, Interrupted if `stop` asks for it.
void generate(const GenerationRequest& request, const weights::ModelFolder& folder,
              ClipOutputs& outputs, Progress& progress, const StopRequest& stop);

/// The same with models that may be loaded already, and without the check of memory.
void generate(const GenerationRequest& request, Renderer& renderer, ClipOutputs& outputs);

}  // namespace reel::pipeline
