// What the flags say about the report of a comparison.
#pragma once

#include <optional>
#include <vector>

#include "app/parsed_flags.h"
#include "attention/mask_probe.h"
#include "core/problems.h"
#include "pipeline/generation_request.h"

namespace reel::app {

/// --mask-heads: the heads whose blocks are shown. None for "none", an empty list for "auto" and
/// without the flag. Adds a problem for each that is no head of the model; without `facts` their
/// form alone is checked.
std::optional<std::vector<attention::LayerHead>> mask_heads(
    const ParsedFlags& flags, const std::optional<pipeline::ModelFacts>& facts, Problems& problems);

}  // namespace reel::app
