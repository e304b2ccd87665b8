// Which schedule a model folder asks for.
#pragma once

#include "core/json_reader.h"

namespace reel::schedulers {

/// What diffusers' scheduler/scheduler_config.json decides.
struct Config {
  double shift;  ///< flow shift, unless the request names another
};

/// Reads scheduler_config.json. Throws the owner's error for another scheduler class than
/// FlowMatchEulerDiscreteScheduler, and for every setting that would change the schedule or the
/// step (dynamic shifting, inverted sigmas, Karras sigmas, ...) and is on.
Config read_config(const JsonReader& json);

}  // namespace reel::schedulers
