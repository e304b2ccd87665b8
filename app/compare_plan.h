// Everything that `compare` decides before it loads anything.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/parsed_flags.h"
#include "core/output_file.h"
#include "media/encoder_plan.h"
#include "pipeline/generation_request.h"
#include "weights/model_folder.h"

namespace reel::app {

/// One way to attend, and the requests that it turns the prompts into.
struct CompareSetting {
  std::string name;       ///< as the user wrote it, "dense" for the first
  std::string file_name;  ///< the same, fit for names of files
  std::vector<pipeline::GenerationRequest> requests;  ///< one a prompt, one seed each
};

struct ComparePlan {
  weights::ModelFolder model;
  std::vector<std::string> prompts;
  std::vector<CompareSetting> settings;  ///< dense first
  media::EncoderPlan encoder;
  std::filesystem::path folder;
  IfExists if_exists = IfExists::kRefuse;
  bool noise_floor = true;

  /// The video of one clip, relative to `folder`.
  std::filesystem::path video(size_t prompt, const CompareSetting& setting) const;
};

/// Checks flags, prompts, settings, model folder and output together. Throws ConfigError with all
/// problems; only if there is none, the WeightError of the model folder.
ComparePlan plan_compare(const ParsedFlags& flags);

/// What --dry-run prints.
std::string compare_plan_text(const ComparePlan& plan);

}  // namespace reel::app
