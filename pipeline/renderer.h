// The models of one folder, loaded once, and the clips that they render: the algorithm from text to
// finished frames. Any number of requests go through one renderer; nothing of a clip stays behind.
#pragma once

#include <optional>
#include <string>

#include "pipeline/clip_outputs.h"
#include "pipeline/denoise.h"
#include "pipeline/generation_request.h"
#include "pipeline/loaded_models.h"
#include "pipeline/memory_plan.h"
#include "pipeline/memory_use.h"
#include "pipeline/progress.h"
#include "pipeline/stage_clock.h"
#include "pipeline/stop_request.h"
#include "weights/load_weights.h"
#include "weights/model_folder.h"
#include "weights/read_ahead.h"

namespace reel::pipeline {

/// The text of a request, encoded; equal for all of its clips.
struct ClipTexts {
  TextConditioning text;
  std::optional<TextConditioning> negative;  ///< there exactly when the request uses one
  StageTimes times_ms;                       ///< of its loading and encoding
};

/// Each model loads when it is first needed. The text encoders leave before the transformer comes,
/// unless they are to stay; transformer and decoder stay, unless the ComputeChoice offloads models:
/// then each leaves before the next comes. Offloaded blocks stay in host memory.
class Renderer {
 public:
  /// Names the weight files, loads nothing. All arguments must outlive this. Throws WeightError for
  /// files that cannot be read.
  Renderer(const weights::ModelFolder& folder, const ComputeChoice& compute, Progress& progress,
           const StopRequest& stop);

  /// What metadata says about every clip of this renderer.
  const RunIdentity& identity() const { return identity_; }

  /// One prompt, as the text encoders see it. Encode all prompts before the first render(), or the
  /// encoders load again. Throws WeightError, Interrupted.
  text_encoder::EncodedPrompt encode(const std::string& prompt, PromptTemplate which);

  /// Both prompts of `request`; tells the progress about text that was cut.
  ClipTexts encode(const GenerationRequest& request);

  /// Frees the text encoders; the next encode() loads them again. Without effect once
  /// keep_text_encoders() was called, unless models are offloaded.
  void drop_text_encoders();

  /// The text encoders stay beside the other models from now on.
  void keep_text_encoders() { keeps_encoders_ = true; }

  /// Whether render() of the clip will use its text: not if an earlier run left finished latents.
  bool needs_text(const GenerationRequest& request, size_t clip, ClipOutputs& outputs);

  /// Renders clip `clip` (an index into the request's seeds) into `outputs`, from where an earlier
  /// run left it. `request` must have this renderer's ComputeChoice; `texts` may be empty unless
  /// needs_text(). Throws what generate() of generate.h throws.
  void render(const GenerationRequest& request, size_t clip, const ClipTexts& texts,
              ClipOutputs& outputs);

 private:
  // What decides a clip's latents beside its text.
  struct ClipStart {
    at::Tensor noise;  // [1, C, T, h, w] fp32 on the CPU
    attention::AttentionSchedule schedule;
    std::string noise_sha256;
    std::string hash;  // latents_hash()
  };

  ModelFacts facts();
  ClipStart start_of(const GenerationRequest& request, size_t clip);
  static void check_state(const RunState& state, const ClipStart& start, int64_t num_steps);
  at::Tensor denoise_clip(const GenerationRequest& request, size_t clip, const ClipTexts& texts,
                          const ClipStart& start, const std::optional<RunState>& earlier,
                          attention::Attention& attention, ClipOutputs& outputs,
                          ClipReport& report);
  template <typename Work>
  auto run_stage(const std::string& name, StageTimes& times, const Work& work);
  void add_peak(const std::string& stage);
  MemoryPlan memory_plan(const GenerationRequest& request);
  weights::LoadProgress load_progress();
  void load_encoders(StageTimes& times);
  void read_transformer_ahead();
  const dit::Transformer& load_transformer();
  void decode_clip(const GenerationRequest& request, size_t clip, const at::Tensor& latents,
                   ClipOutputs& outputs, ClipReport& report);

  const weights::ModelFolder& folder_;
  const ComputeChoice& compute_;
  Progress& progress_;
  const StopRequest& stop_;
  RunIdentity identity_;
  StageTimes load_times_ms_;  // of the transformer and the decoder that are there
  std::vector<StagePeak> peaks_;
  std::optional<ModelSizes> sizes_;
  bool keeps_encoders_ = false;
  std::optional<weights::ReadAhead> read_ahead_;  // of the transformer, while text is encoded
  std::optional<dit::Config> config_;             // of the transformer
  LoadedModels models_;
};

}  // namespace reel::pipeline
