// One stage of the pipeline alone: tensors in, tensors out.
#pragma once

#include "app/probe_options.h"

namespace reel::app {

/// Runs the stage and writes its result to options.out or stdout. Returns the exit code, 0; throws
/// what main() turns into the others.
int run_probe(const ProbeOptions& options);

}  // namespace reel::app
