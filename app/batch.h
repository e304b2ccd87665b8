// What `batch` and `vbench run` share.
#pragma once

#include "app/batch_plan.h"
#include "app/console.h"
#include "app/parsed_flags.h"

namespace reel::app {

/// Tells the plan's notes. With --dry-run also prints the plan; true then.
bool show_plan(const BatchPlan& plan, const ParsedFlags& flags, Console& console);

/// Makes the run folder and renders its jobs; returns the exit code (docs/FORMATS.md).
/// Without `tells_outputs` stdout is left to results of another kind.
int render_batch(const BatchPlan& plan, const ParsedFlags& flags, Console& console,
                 bool tells_outputs = true);

}  // namespace reel::app
