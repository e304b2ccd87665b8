// Noise levels of a denoising run: a pure function of the number of steps and the shift.
#pragma once

#include <cstdint>
#include <vector>

namespace reel::schedulers {

/// The levels and what the model is told about them. Sigma 1 is noise, 0 is data.
struct SigmaSchedule {
  std::vector<float> sigmas;     ///< num_steps + 1 values falling from 1; the last is exactly 0
  std::vector<float> timesteps;  ///< num_steps values: 1000 * sigma, not rounded to integers

  int64_t num_steps() const { return static_cast<int64_t>(timesteps.size()); }
};

/// Evenly spaced levels u from 1 to 0, then shift * u / (1 + (shift - 1) * u), in fp32
/// (spec/hunyuanvideo.md 4.1). Throws ConfigError unless num_steps >= 1 and shift is finite and >
/// 0.
SigmaSchedule make_sigma_schedule(int64_t num_steps, double shift);

}  // namespace reel::schedulers
