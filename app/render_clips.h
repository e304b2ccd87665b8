// Renders the clips of one request into their files: what `generate` and `replay` share once their
// plans are made.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "app/clip_files.h"
#include "app/console.h"
#include "weights/model_folder.h"

namespace reel::app {

/// A request with everything that it is rendered with. What it names must outlive the rendering.
struct ClipRun {
  const pipeline::GenerationRequest& request;
  const weights::ModelFolder& model;
  const OutputPlan& outputs;
  const media::EncoderPlan& encoder;
  nlohmann::json job;  ///< what a batch knew about the clip; null: none
  /// What to do with what a failure left.
  std::function<std::string(const ClipFiles::Rest&)> how_to_go_on;
};

/// Makes the folders and renders; `progress_mode` is that of --progress. Returns the metadata of
/// the last clip that was completed, null if none had to be. A failure is told, what it left is
/// kept and told, then it goes on to the caller.
nlohmann::json render_clips(const ClipRun& run, const std::string& progress_mode, Console& console);

}  // namespace reel::app
