#include "schedulers/config.h"

#include <cmath>
#include <string>

namespace reel::schedulers {
namespace {

constexpr const char* kClass = "FlowMatchEulerDiscreteScheduler";

// Switches that must be off: each selects another schedule or step.
constexpr const char* kRefusedSwitches[] = {"use_dynamic_shifting", "invert_sigmas",
                                            "use_karras_sigmas",    "use_exponential_sigmas",
                                            "use_beta_sigmas",      "stochastic_sampling"};

}  // namespace

Config read_config(const JsonReader& json) {
  if (json.string("_class_name") != kClass) {
    json.fail_at("_class_name",
                 "scheduler not supported: got " + json.string("_class_name") + ", want " + kClass);
  }
  // The last five only matter to switches that are refused.
  json.refuse_unknown_keys({"_class_name", "_diffusers_version", "num_train_timesteps", "shift",
                            "use_dynamic_shifting", "invert_sigmas", "use_karras_sigmas",
                            "use_exponential_sigmas", "use_beta_sigmas", "stochastic_sampling",
                            "shift_terminal", "base_shift", "max_shift", "base_image_seq_len",
                            "max_image_seq_len", "time_shift_type"});
  for (const char* key : kRefusedSwitches) {
    if (json.has(key) && json.boolean(key))
      json.fail_at(key, "not supported: got true, want false");
  }
  if (!json.is_null("shift_terminal")) {
    json.fail_at("shift_terminal", "not supported: got a value, want null");
  }
  if (json.integer("num_train_timesteps") != 1000) {
    json.fail_at("num_train_timesteps", "got " +
                                            std::to_string(json.integer("num_train_timesteps")) +
                                            ", want 1000: timesteps run from 0 to 1000");
  }
  const double shift = json.number("shift");
  if (!std::isfinite(shift) || shift <= 0) json.fail_at("shift", "want a number above 0");
  return {shift};
}

}  // namespace reel::schedulers
