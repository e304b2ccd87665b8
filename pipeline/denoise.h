// The denoising loop: noise to latents along the sigma schedule.
// Shape letters (docs/SHAPES.md): B batch, C channels, T h w the latent grid, L text tokens.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "attention/attention.h"
#include "dit/transformer.h"
#include "pipeline/progress.h"
#include "pipeline/stop_request.h"

namespace reel::pipeline {

/// What the transformer is told about the text, one entry a batch item.
struct TextConditioning {
  std::vector<at::Tensor> states;  ///< B tensors [L_b, D_text]: valid tokens only
  at::Tensor pooled;               ///< [B, D_clip]
};

/// Everything that decides the latents. Tensors may lie on any device.
struct DenoiseInputs {
  at::Tensor noise;  ///< [B, C, T, h, w] fp32; with `done` the latents that those steps led to
  TextConditioning text;
  std::optional<TextConditioning> negative;  ///< there exactly when cfg_scale is not 1
  int64_t num_steps = 50;
  double guidance = 6.0;  ///< embedded; ignored by a model that embeds none
  double cfg_scale = 1.0;
  double flow_shift = 7.0;
  std::vector<StepReport> done = {};  ///< first steps that an earlier process ran
};

/// Where the steps led.
struct DenoiseResult {
  at::Tensor latents;             ///< [B, C, T, h, w] fp32, scaled as the transformer sees them
  std::vector<StepReport> steps;  ///< one a step, those of an earlier process included
  std::string failure;            ///< why the run ended early; empty if it did not

  /// Throws OutputError with the failure, if there is one.
  void throw_if_failed() const;
};

/// Is shown where a run stands after each step; `stopping`: once more, before Interrupted is
/// thrown.
using AfterStep = std::function<void(const DenoiseResult& so_far, bool stopping)>;

/// Runs all steps; with a negative text two passes a step, v = v_neg + cfg_scale * (v - v_neg).
/// Latents stay fp32 between steps and on the transformer's device. Synchronises with the device
/// once a step, to time it and to check its result: a velocity that is not finite ends the run with
/// the latents before that step, so that they can be kept. Throws Interrupted between steps, and
/// what `after_step`, which may be null, throws.
DenoiseResult denoise(const dit::Transformer& transformer, const DenoiseInputs& inputs,
                      attention::Attention& attention, Progress& progress, const StopRequest& stop,
                      const AfterStep& after_step);

}  // namespace reel::pipeline
