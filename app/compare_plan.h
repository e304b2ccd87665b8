// Everything that `compare` decides before it loads anything.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
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
  bool writes_report = true;
  std::optional<media::EncoderPlan> preview_encoder;  ///< for the report, if no browser would play
                                                      ///< what `encoder` makes
  std::optional<std::filesystem::path> lpips_file;    ///< none: LPIPS is not measured

  /// The video of one clip and its copy for the report, relative to `folder`.
  std::filesystem::path video(size_t prompt, const CompareSetting& setting) const;
  std::filesystem::path preview(size_t prompt, const CompareSetting& setting) const;
};

/// A setting before it is checked.
struct SettingText {
  std::string name;
  pipeline::RequestOptions options;
};

/// Makes the settings that go with the flags, dense first; adds what is wrong to the problems.
using SettingReader =
    std::function<std::vector<SettingText>(const pipeline::RequestOptions& flags, Problems&)>;

/// Checks flags, prompts, settings, model folder and output together. Throws ConfigError with all
/// problems; only if there is none, the WeightError of the model folder.
ComparePlan plan_compare(const ParsedFlags& flags);

/// The same for `command`, with settings that `read` makes.
ComparePlan plan_comparison(const ParsedFlags& flags, const std::string& command,
                            const SettingReader& read);

/// What --dry-run prints.
std::string compare_plan_text(const ComparePlan& plan);

}  // namespace reel::app
