// What a user asks for, checked whole before anything is loaded: a value. Where files go is the
// program's business (app/), not the request's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "attention/mask_probe.h"
#include "attention/schedule.h"
#include "pipeline/clip_options.h"
#include "pipeline/compute_choice.h"
#include "pipeline/latent_geometry.h"
#include "pipeline/vae_tiling.h"

namespace reel::pipeline {

/// The text that wraps a prompt for the Llama encoder.
enum class PromptTemplate { kVideo, kImage };

/// "video" or "image".
std::string template_name(PromptTemplate value);

/// What thresholds would do to the calls that `attention` makes sparse, measured while the clip
/// runs as its request says.
struct CurveRequest {
  attention::ScheduleOptions attention;
  std::vector<double> taus;  ///< ascending
  int64_t samples = 8;       ///< query blocks of every head and call
};

/// One prompt, rendered once for each seed. Complete: nothing is left to a default.
struct GenerationRequest {
  std::string prompt;           ///< valid UTF-8 of any length, may be empty; not stripped yet
  std::string negative_prompt;  ///< used exactly when cfg_scale is above 1
  PromptTemplate prompt_template = PromptTemplate::kVideo;
  ClipSize size;
  int64_t num_steps = 0;
  std::vector<uint64_t> seeds;  ///< one a clip; with noise_file one, which is not used
  std::optional<std::filesystem::path> noise_file;  ///< --latents: tensor "noise" [1, C, T, h, w]
  double guidance = 0;   ///< embedded; ignored by a model that embeds none
  double cfg_scale = 1;  ///< 1: no negative pass
  double flow_shift = 0;
  std::string frame_rate;  ///< as media::parse_frame_rate reads it
  attention::ScheduleOptions attention;
  VaeTiling vae_tiling;
  ComputeChoice compute;
  int64_t recall_samples = 0;          ///< query blocks a head that --probe-recall measures; 0: off
  std::optional<CurveRequest> curves;  ///< of `calibrate`
  /// Heads whose blocks are recorded (attention/mask_probe.h): none, or an empty list for a few
  /// that are spread over the model.
  std::optional<std::vector<attention::LayerHead>> mask_heads;

  LatentGeometry geometry() const { return latent_geometry(size); }
  bool uses_negative_prompt() const { return cfg_scale != 1.0; }

  /// {prompt, negative_prompt, template, seed, width, height, ...} as metadata keeps it, for the
  /// clip of `seed`.
  nlohmann::json to_json(uint64_t seed) const;
};

/// The flags of a run as given; what is empty was not.
struct RequestOptions : ClipOptions {
  std::optional<std::filesystem::path> prompt_file;  ///< all of it, without one newline at the end
  int64_t samples = 1;
  ComputeOptions compute;
  int64_t recall_samples = 0;
};

/// Defaults of a model folder's sparsereel.json; the flags go first, then these, then the built-in
/// ones.
struct ModelDefaults {
  std::optional<int64_t> width, height, frames, steps;
  std::optional<double> guidance, cfg_scale, flow_shift;
  std::optional<std::string> frame_rate, attention_mode, dense_steps;
  std::optional<double> tau;
  std::optional<int64_t> stride, block;
};

/// Reads sparsereel.json. Throws WeightError for an unknown key or a value of the wrong type.
ModelDefaults read_model_defaults(const std::filesystem::path& file);

/// What the request has to fit.
struct ModelFacts {
  bool embeds_guidance = true;
  int64_t num_layers = 0;  ///< double blocks, then single blocks
  int64_t num_heads = 0;
};

/// Completes and checks the request, all but the attention schedule, which plan_attention() checks.
/// Without `facts` the model is not known yet. Adds every problem, each named by its flag, to
/// `problems`; what is returned is of use only if there was none.
GenerationRequest make_request(const RequestOptions& options, const ModelDefaults& defaults,
                               const std::optional<ModelFacts>& facts, Problems& problems);

/// The attention schedule of the request. Adds every problem to `problems`; nothing is returned
/// then, nor if make_request() refused the number of steps or the shift.
std::optional<attention::AttentionSchedule> plan_attention(const GenerationRequest& request,
                                                           const ModelFacts& facts,
                                                           Problems& problems);

/// Checks what can be checked about the attention flags while the model is not known.
void check_attention_flags(const GenerationRequest& request, Problems& problems);

/// The schedule of a valid request; throws ConfigError with all problems.
attention::AttentionSchedule plan_attention(const GenerationRequest& request,
                                            const ModelFacts& facts);

}  // namespace reel::pipeline
