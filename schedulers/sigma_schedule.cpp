#include "schedulers/sigma_schedule.h"

#include <cmath>

#include "core/error.h"

namespace reel::schedulers {

SigmaSchedule make_sigma_schedule(int64_t num_steps, double shift) {
  if (num_steps < 1) {
    fail<ConfigError>("sigma schedule: too few steps: got ", num_steps, ", want at least 1");
  }
  if (!std::isfinite(shift) || shift <= 0) {
    fail<ConfigError>("sigma schedule: flow shift: got ", shift, ", want a number above 0");
  }
  SigmaSchedule schedule;
  const auto wide_steps = static_cast<double>(num_steps);
  const auto narrow_shift = static_cast<float>(shift);
  for (int64_t i = 0; i < num_steps; ++i) {
    const auto u = static_cast<float>(1.0 - static_cast<double>(i) / wide_steps);
    const float sigma = narrow_shift * u / (1.0F + (narrow_shift - 1.0F) * u);
    schedule.sigmas.push_back(sigma);
    schedule.timesteps.push_back(1000.0F * sigma);
  }
  schedule.sigmas.push_back(0.0F);
  return schedule;
}

}  // namespace reel::schedulers
