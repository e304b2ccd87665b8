// The model folder that a command's flags name.
#pragma once

#include <exception>
#include <optional>

#include "app/parsed_flags.h"
#include "pipeline/known_model.h"

namespace reel::app {

/// Reads the folder that --model and the flags of its parts name. Without --model adds a problem. A
/// broken folder is kept in `broken`, to be told only where the flags are in order: they take less
/// time to mend.
std::optional<pipeline::KnownModel> try_model(const ParsedFlags& flags, std::exception_ptr& broken,
                                              Problems& problems);

}  // namespace reel::app
