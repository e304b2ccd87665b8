// Flow-match Euler steps: the latents follow the predicted velocity from noise to data.
// Shape letters (docs/SHAPES.md): B batch, C channels, T h w the latent grid.
#pragma once

#include <ATen/core/Tensor.h>

#include "schedulers/sigma_schedule.h"

namespace reel::schedulers {

/// Moves latents along a schedule. Keeps no state between steps.
class FlowMatchEuler {
 public:
  explicit FlowMatchEuler(SigmaSchedule schedule) : schedule_(std::move(schedule)) {}

  const SigmaSchedule& schedule() const { return schedule_; }
  int64_t num_steps() const { return schedule_.num_steps(); }

  /// What the model is told in step `step`: [batch] fp32 on `device`.
  at::Tensor timestep(int64_t step, int64_t batch, at::Device device) const;

  /// latents + (sigma[step + 1] - sigma[step]) * velocity. Both [B, C, T, h, w] fp32 on one device.
  /// Throws ShapeError for another dtype or shape or a step outside the schedule.
  at::Tensor step(const at::Tensor& latents, const at::Tensor& velocity, int64_t step) const;

 private:
  SigmaSchedule schedule_;
};

}  // namespace reel::schedulers
