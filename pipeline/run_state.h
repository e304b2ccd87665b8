// How far the denoising of one clip came, as a file: enough for another process to go on from, or
// to decode. C channels, T h w the latent grid (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/output_file.h"
#include "pipeline/generation_request.h"
#include "pipeline/progress.h"
#include "pipeline/run_report.h"
#include "pipeline/stage_clock.h"

namespace reel::pipeline {

struct RunState {
  at::Tensor latents;     ///< [1, C, T, h, w] fp32 on the CPU, as the transformer sees them
  std::string hash = {};  ///< latents_hash(); empty if the file does not say
  std::vector<StepReport> steps = {};  ///< those that are done
  int64_t num_steps = 0;               ///< of the whole run
  nlohmann::json density = {};         ///< [step][layer][head] of the steps that are done
  StageTimes stages_ms = {};           ///< of the process that wrote this
  int64_t num_text_tokens = 0;
  nlohmann::json clip =
      {};  ///< metadata of the clip, as far as they are known; null if there are none

  /// No step is left.
  bool finished() const { return std::ssize(steps) == num_steps; }
};

/// SHA-256 over everything that decides the latents of one clip: request, attention schedule, sizes
/// and header sums of the weights, tokenizers, kind of device, number format and noise. Threads,
/// tiles, encoder and the program's version are not part of it.
std::string latents_hash(const GenerationRequest& request, uint64_t seed,
                         const std::string& schedule_hash, const RunIdentity& identity,
                         const std::string& noise_sha256);

/// Appends `state` to an empty `file` as docs/FORMATS.md ("Latents") says; the caller commits it.
/// Throws IoError.
void write_run_state(OutputFile& file, const RunState& state);

/// Reads what write_run_state() wrote, or a file of the tensor "latents" alone, which counts as
/// finished. Throws ConfigError "<file>: ..." for another file, a damaged one, another shape than
/// [1, C, T, h, w], values that are not finite, or a newer format.
RunState read_run_state(const std::filesystem::path& file);

}  // namespace reel::pipeline
