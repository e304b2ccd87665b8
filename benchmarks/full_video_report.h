// What a whole clip took, stage by stage: the figures, and their table.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "benchmarks/measured_step.h"
#include "pipeline/compute_choice.h"
#include "pipeline/memory_plan.h"
#include "pipeline/memory_use.h"

namespace reel::benchmarks {

/// What one stage took, or why it failed.
struct StageFigures {
  std::string name;     ///< "text", "step, MODE", "decode", "decode and encode"
  std::string planned;  ///< the memory plan's stage
  double seconds = 0;
  pipeline::StagePeak peak;
  int64_t device_bytes = 0;  ///< in use by anyone when the stage ended, as the driver counts
  std::optional<MeasuredStep> step;
  std::string failure;  ///< empty if there was none
};

/// The thread that encodes.
struct EncodeFigures {
  double busy_seconds = 0;
  int64_t file_bytes = 0;
  std::string encoder, preset;
  double crf = 0;
};

struct FullVideoFigures {
  StepShape shape;
  double density = 0;
  int repeats = 1;
  int64_t num_steps = 50;
  int64_t num_dense_steps = 5;
  pipeline::ComputeChoice compute;
  pipeline::MemoryPlan plan;
  std::vector<StageFigures> stages;
  std::optional<EncodeFigures> encode;

  /// The stage of that name if it was measured.
  const StageFigures* find(const std::string& name) const;

  /// Seconds of whole clips by what their steps after the dense ones are: "dense", "given", ... .
  /// Only those of which every part was measured.
  std::map<std::string, double> totals() const;

  /// Bytes that the memory plan has for the tensors of a stage.
  int64_t planned_bytes(const StageFigures& stage) const;

  bool any_failed() const;
};

/// One table, in Markdown.
std::string table_text(const FullVideoFigures& figures);

/// One line.
std::string stage_text(const StageFigures& stage);

nlohmann::json to_json(const FullVideoFigures& figures);

}  // namespace reel::benchmarks
