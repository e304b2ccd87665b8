// model_index.json: which classes a diffusers folder is made of.
#pragma once

#include <filesystem>

namespace reel::weights {

/// Throws WeightError, naming every class that does not fit, unless the file describes a
/// HunyuanVideo text-to-video pipeline.
void check_diffusers_index(const std::filesystem::path& file);

}  // namespace reel::weights
