// Renders the jobs of a batch with the models, loaded once.
#pragma once

#include <optional>

#include "app/batch_plan.h"
#include "app/console.h"
#include "app/progress.h"
#include "batch/run_jobs.h"
#include "batch/text_cache.h"
#include "pipeline/renderer.h"

namespace reel::app {

class BatchRenderer : public batch::JobRenderer {
 public:
  /// All arguments must outlive this.
  BatchRenderer(const BatchPlan& plan, RunProgress& progress, Console& console,
                const pipeline::StopRequest& stop);

  /// Checks that every size fits the memory, and encodes all prompts that the run folder's cache
  /// does not hold. Throws OutOfMemory, WeightError, IoError, Interrupted.
  void prepare(const std::vector<const batch::Job*>& jobs) override;

  std::optional<batch::JobFailure> render(const batch::Job& job, nlohmann::json& metadata) override;

 private:
  text_encoder::EncodedPrompt encode(const std::string& prompt, pipeline::PromptTemplate which);
  pipeline::ClipTexts texts_of(const pipeline::GenerationRequest& request);

  const BatchPlan& plan_;
  RunProgress& progress_;
  Console& console_;
  pipeline::Renderer renderer_;
  batch::TextCache cache_;
};

}  // namespace reel::app
