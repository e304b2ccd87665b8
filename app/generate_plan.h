// Everything that `generate` decides before it loads anything.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/console.h"
#include "app/output_plan.h"
#include "app/parsed_flags.h"
#include "attention/schedule.h"
#include "media/encoder_plan.h"
#include "pipeline/generation_request.h"
#include "pipeline/memory_plan.h"
#include "weights/model_folder.h"

namespace reel::app {

struct GeneratePlan {
  pipeline::GenerationRequest request;
  weights::ModelFolder model;
  pipeline::ModelFacts facts;
  attention::AttentionSchedule schedule;
  OutputPlan outputs;
  media::EncoderPlan encoder;
  pipeline::MemoryPlan memory;
  std::vector<std::string> memory_notes;  ///< for the user
};

/// Checks flags, model folder and outputs together. Throws ConfigError with all problems of the
/// flags; only if there is none, the WeightError of the model folder.
GeneratePlan plan_generate(const ParsedFlags& flags);

/// What --dry-run prints: sizes, attention grid, files, weights, memory.
std::string plan_text(const GeneratePlan& plan);

}  // namespace reel::app
