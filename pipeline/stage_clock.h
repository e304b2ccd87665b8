// Tells progress and report about the stages of a run.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "core/device.h"
#include "core/stopwatch.h"
#include "pipeline/progress.h"

namespace reel::pipeline {

/// Names and milliseconds of stages, in order of their start.
using StageTimes = std::vector<std::pair<std::string, double>>;

/// Runs `work` as the stage `name`: announces it, waits for `device` at its end, adds its time to
/// `times`, and returns what `work` returns. A stage that throws is not added.
template <typename Work>
auto run_stage(const std::string& name, at::Device device, Progress& progress, StageTimes& times,
               const Work& work) {
  progress.stage_started(name);
  const Stopwatch watch;
  auto result = work();
  synchronize(device);
  times.emplace_back(name, watch.elapsed_ms());
  progress.stage_finished(name, times.back().second);
  return result;
}

}  // namespace reel::pipeline
