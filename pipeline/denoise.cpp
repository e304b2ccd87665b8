#include "pipeline/denoise.h"

#include <ATen/ATen.h>

#include "core/error.h"
#include "core/stopwatch.h"
#include "dit/timestep_embedding.h"
#include "schedulers/flow_match_euler.h"

namespace reel::pipeline {
namespace {

TextConditioning to_device(const TextConditioning& text, at::Device device) {
  TextConditioning moved;
  for (const auto& states : text.states) moved.states.push_back(states.to(device));
  moved.pooled = text.pooled.to(device);
  return moved;
}

std::optional<at::Tensor> guidance_tensor(const dit::Transformer& transformer, double guidance,
                                          int64_t batch) {
  if (!transformer.config().embeds_guidance) return std::nullopt;
  const double value = dit::guidance_input(guidance, transformer.dtype());
  return at::full({batch}, value,
                  at::TensorOptions().dtype(at::kFloat).device(transformer.device()));
}

}  // namespace

void DenoiseResult::throw_if_failed() const {
  if (!failure.empty()) throw OutputError(failure);
}

DenoiseResult denoise(const dit::Transformer& transformer, const DenoiseInputs& inputs,
                      attention::Attention& attention, Progress& progress, const StopRequest& stop,
                      const AfterStep& after_step) {
  const at::Device device = transformer.device();
  const int64_t batch = inputs.noise.size(0);
  const schedulers::FlowMatchEuler scheduler(
      schedulers::make_sigma_schedule(inputs.num_steps, inputs.flow_shift));
  const auto guidance = guidance_tensor(transformer, inputs.guidance, batch);
  const TextConditioning text = to_device(inputs.text, device);
  std::optional<TextConditioning> negative;
  if (inputs.negative) negative = to_device(*inputs.negative, device);

  DenoiseResult result{inputs.noise.to(device, at::kFloat), inputs.done, {}};
  at::Tensor& latents = result.latents;
  for (int64_t step = std::ssize(inputs.done); step < inputs.num_steps; ++step) {
    if (stop.requested() && after_step) after_step(result, /*stopping=*/true);
    stop.throw_if_requested();
    const Stopwatch watch;
    const double probe_ms = attention.probe_ms();
    const at::Tensor timestep = scheduler.timestep(step, batch, device);
    const auto attend = attention.at_step(step);
    const auto velocity_for = [&](const TextConditioning& condition) {
      return transformer.forward({latents, timestep, guidance, condition.states, condition.pooled},
                                 attend);
    };
    at::Tensor velocity = velocity_for(text);
    if (negative) {
      const at::Tensor away = velocity_for(*negative);
      velocity = away + inputs.cfg_scale * (velocity - away);
    }
    // The one synchronisation of a step: it makes the step's time true and stops a broken run
    // early.
    if (!at::isfinite(velocity).all().item<bool>()) {
      result.failure = "denoise: step " + std::to_string(step + 1) + " of " +
                       std::to_string(inputs.num_steps) +
                       ": the predicted velocity is not finite: check the weights and --dtype";
      return result;
    }
    latents = scheduler.step(latents, velocity, step);
    result.steps.push_back(
        {step, inputs.num_steps, watch.elapsed_ms() - (attention.probe_ms() - probe_ms),
         attention.schedule().is_dense(step), attention.statistics().mean_density(step)});
    progress.step_finished(result.steps.back());
    if (after_step) after_step(result, /*stopping=*/false);
  }
  return result;
}

}  // namespace reel::pipeline
