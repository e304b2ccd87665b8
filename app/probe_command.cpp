// `sparsereel probe`: one stage alone.
#include <ATen/Parallel.h>

#include "app/commands.h"
#include "app/probe.h"
#include "app/probe_flags.h"

namespace reel::app {

int run_probe_command(const ParsedFlags& flags, Console& console) {
  const ProbeOptions options = probe_options(flags);
  for (const auto& name : idle_probe_flags(flags)) {
    console.warn(name + " has no effect on stage " + options.stage);
  }
  at::set_num_threads(options.compute.threads);
  return run_probe(options);
}

}  // namespace reel::app
