// What a request is checked against before anything is loaded: the model folder's own facts.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>

#include "app/parsed_flags.h"
#include "pipeline/generation_request.h"
#include "weights/model_folder.h"

namespace reel::app {

/// What a model folder says about requests.
struct KnownModel {
  weights::ModelFolder folder;
  pipeline::ModelDefaults defaults;
  pipeline::ModelFacts facts;
  int64_t num_channels = 0;  ///< of the latents
};

/// Reads `folder`, with parts from elsewhere. Throws WeightError.
KnownModel read_known_model(const std::filesystem::path& folder, const weights::PartPaths& parts);

/// Reads the folder that --model and the flags of its parts name. Without --model adds a problem. A
/// broken folder is kept in `broken`, to be told only where the flags are in order: they take less
/// time to mend.
std::optional<KnownModel> try_model(const ParsedFlags& flags, std::exception_ptr& broken,
                                    Problems& problems);

/// Adds a problem if `text` is no frame rate.
void check_frame_rate(const std::string& text, Problems& problems);

}  // namespace reel::app
