// What a request is checked against before anything is loaded: the model folder's own facts.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/problems.h"
#include "pipeline/generation_request.h"
#include "weights/model_folder.h"

namespace reel::pipeline {

/// What a model folder says about requests.
struct KnownModel {
  weights::ModelFolder folder;
  ModelDefaults defaults;
  ModelFacts facts;
  int64_t num_channels = 0;  ///< of the latents
};

/// Reads `folder`, with parts from elsewhere. Throws WeightError.
KnownModel read_known_model(const std::filesystem::path& folder, const weights::PartPaths& parts);

/// Adds a problem if `text` is no frame rate.
void check_frame_rate(const std::string& text, Problems& problems);

}  // namespace reel::pipeline
