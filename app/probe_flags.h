// From the flags of `probe` to its options.
#pragma once

#include <string>
#include <vector>

#include "app/parsed_flags.h"
#include "app/probe_options.h"

namespace reel::app {

/// Throws ConfigError with all problems: a stage that is unknown or lacks a file, values that are
/// no numbers, an output that is there already.
ProbeOptions probe_options(const ParsedFlags& flags);

/// Flags that were given but that the stage does not read.
std::vector<std::string> idle_probe_flags(const ParsedFlags& flags);

}  // namespace reel::app
