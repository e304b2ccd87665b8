// What a run measured, and the JSON that records it (docs/FORMATS.md).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "attention/mask_probe.h"
#include "attention/threshold_table.h"
#include "media/encoder_plan.h"
#include "pipeline/generation_request.h"
#include "pipeline/memory_plan.h"
#include "pipeline/memory_use.h"
#include "pipeline/progress.h"
#include "weights/tensor_source.h"

namespace reel::pipeline {

/// What is the same for every clip of a run.
struct RunIdentity {
  std::string model_name;    ///< of the model folder
  std::string model_layout;  ///< "official" or "diffusers"
  std::vector<weights::FileIdentity> model_files;
  std::string tokenizers_sha256;  ///< of their files
  std::string device_name;        ///< "cpu", or the GPU's own name
  std::string driver;             ///< version; empty on a CPU
  std::string dtype;              ///< of the transformer
  std::string vae_dtype;
  int threads = 1;
  std::string offload = "none";
};

/// One finished clip.
struct ClipReport {
  uint64_t seed = 0;
  std::string request_hash;    ///< latents_hash() of run_state.h
  std::string noise_sha256;    ///< of the fp32 noise
  std::string latents_sha256;  ///< of the final fp32 latents, as the transformer sees them
  /// Stages in order of their start; loading and text, which clips share, count in each clip.
  std::vector<std::pair<std::string, double>> stages_ms;
  std::vector<StepReport> steps;
  nlohmann::json attention;  ///< AttentionSchedule::to_json()
  nlohmann::json density;    ///< Statistics::density_json()
  nlohmann::json recall;     ///< RecallProbe::to_json(); null unless it was asked for
  std::optional<attention::HeadCurves> curves;  ///< if they were asked for
  std::vector<attention::HeadMask> masks;       ///< if they were asked for
  nlohmann::json attention_kernels;             ///< Statistics::kernels_json()
  nlohmann::json attention_times;               ///< Statistics::times_json()
  std::string tile_plan;                        ///< TilePlan::text() of what ran
  std::string vae_tiling;                       ///< vae_tiling_text() of what ran
  std::optional<MemoryPlan> memory_plan;        ///< none if it was not made
  std::vector<StagePeak> memory_peaks;          ///< of the stages of this process, by name
  int64_t num_text_tokens = 0;                  ///< L
  int64_t peak_device_bytes = 0;                ///< 0 on a CPU
  int64_t peak_host_bytes = 0;                  ///< largest resident size of the process so far
  double total_ms = 0;
};

/// --perf-json: {"format":1, "total_ms", "stages":[{name, ms}], "steps":[{step, ms, mode,
/// density}], "attention", "peak_bytes", ...}.
nlohmann::json perf_json(const RunIdentity& identity, const ClipReport& report);

/// What the encoder was told, for metadata.
nlohmann::json encoder_json(const media::EncoderPlan& encoder);

/// The metadata object of an MP4's comment and of the sidecar (spec/cli-and-vbench.md 2.2).
/// `program` is program_json(); `encoder` is encoder_json(), or null without one.
nlohmann::json metadata_json(const GenerationRequest& request, const RunIdentity& identity,
                             const ClipReport& report, const nlohmann::json& program,
                             const nlohmann::json& encoder);

/// The largest resident size of this process so far, in bytes.
int64_t peak_host_bytes();

}  // namespace reel::pipeline
