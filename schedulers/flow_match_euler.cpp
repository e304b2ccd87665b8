#include "schedulers/flow_match_euler.h"

#include <ATen/ops/full.h>

#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::schedulers {
namespace {

size_t checked(int64_t step, int64_t num_steps) {
  if (step < 0 || step >= num_steps) {
    fail<ShapeError>("FlowMatchEuler: no such step: got ", step, ", want 0 to ", num_steps - 1);
  }
  return static_cast<size_t>(step);
}

}  // namespace

at::Tensor FlowMatchEuler::timestep(int64_t step, int64_t batch, at::Device device) const {
  const float value = schedule_.timesteps[checked(step, num_steps())];
  return at::full({batch}, value, at::TensorOptions().dtype(at::kFloat).device(device));
}

at::Tensor FlowMatchEuler::step(const at::Tensor& latents, const at::Tensor& velocity,
                                int64_t step) const {
  const size_t index = checked(step, num_steps());
  constexpr const char* kWhere = "FlowMatchEuler::step";
  check_tensor(kWhere, latents, "latents",
               {{'B', kAny}, {'C', kAny}, {'T', kAny}, {'h', kAny}, {'w', kAny}}, at::kFloat);
  check_tensor(kWhere, velocity, "velocity",
               {{'B', latents.size(0)},
                {'C', latents.size(1)},
                {'T', latents.size(2)},
                {'h', latents.size(3)},
                {'w', latents.size(4)}},
               at::kFloat);
  const float delta = schedule_.sigmas[index + 1] - schedule_.sigmas[index];
  return latents + delta * velocity;
}

}  // namespace reel::schedulers
