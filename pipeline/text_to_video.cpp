#include "pipeline/text_to_video.h"

#include <ATen/ATen.h>

#include "attention/attention.h"
#include "core/sha256.h"
#include "pipeline/decode.h"
#include "pipeline/denoise.h"
#include "pipeline/device_facts.h"
#include "pipeline/memory_check.h"
#include "pipeline/models.h"
#include "pipeline/noise.h"
#include "pipeline/stage_clock.h"

namespace reel::pipeline {
namespace {

// What a run holds while it works.
class Run {
 public:
  Run(const GenerationRequest& request, const weights::ModelFolder& folder, ClipOutputs& outputs,
      Progress& progress, const StopRequest& stop)
      : request_(request),
        folder_(folder),
        outputs_(outputs),
        progress_(progress),
        stop_(stop),
        device_(request.compute.device) {}

  void generate();

 private:
  using Texts = std::pair<TextConditioning, std::optional<TextConditioning>>;

  template <typename Work>
  auto run_stage(const std::string& name, StageTimes& times, const Work& work);
  weights::LoadProgress load_progress();
  Texts encode_texts();
  void render_clip(size_t clip, const dit::Transformer& transformer, const Texts& texts);
  void decode_clip(size_t clip, const at::Tensor& latents, ClipReport& report);

  const GenerationRequest& request_;
  const weights::ModelFolder& folder_;
  ClipOutputs& outputs_;
  Progress& progress_;
  const StopRequest& stop_;
  at::Device device_;
  RunIdentity identity_;
  StageTimes shared_times_;  // of what all clips have in common
  std::optional<vae::Decoder> decoder_;
};

// Nothing starts once a stop is asked for.
template <typename Work>
auto Run::run_stage(const std::string& name, StageTimes& times, const Work& work) {
  stop_.throw_if_requested();
  return pipeline::run_stage(name, device_, progress_, times, work);
}

void Run::generate() {
  check_memory(request_, folder_);
  identity_ = identify(request_, folder_);
  const Texts texts = encode_texts();
  const auto transformer = run_stage("load transformer", shared_times_, [&] {
    return load_transformer(folder_, device_, request_.compute.dtype, load_progress());
  });
  for (size_t clip = 0; clip < request_.seeds.size(); ++clip) {
    stop_.throw_if_requested();
    render_clip(clip, transformer, texts);
  }
}

weights::LoadProgress Run::load_progress() {
  return [this](uint64_t done, uint64_t total) {
    stop_.throw_if_requested();
    progress_.loaded(static_cast<int64_t>(done), static_cast<int64_t>(total));
  };
}

Run::Texts Run::encode_texts() {
  const auto conditioner = run_stage("load text encoders", shared_times_, [&] {
    return load_text_conditioner(folder_, device_, request_.compute.dtype, load_progress());
  });
  const auto which = request_.prompt_template == PromptTemplate::kImage
                         ? text_encoder::Template::kImage
                         : text_encoder::Template::kVideo;
  const auto encode = [&](const std::string& prompt) {
    stop_.throw_if_requested();
    const auto encoded = conditioner.encode(prompt, which);
    for (const auto& warning : encoded.warnings) progress_.warn(warning);
    return TextConditioning{{encoded.states}, encoded.pooled.unsqueeze(0)};
  };
  return run_stage("encode text", shared_times_, [&] {
    Texts texts{encode(request_.prompt), std::nullopt};
    if (request_.uses_negative_prompt()) texts.second = encode(request_.negative_prompt);
    return texts;
  });
}

void Run::render_clip(size_t clip, const dit::Transformer& transformer, const Texts& texts) {
  const uint64_t seed = request_.seeds[clip];
  progress_.clip_started(clip, request_.seeds.size(), seed);
  ClipReport report;
  report.seed = seed;
  report.stages_ms = shared_times_;
  report.num_text_tokens = texts.first.states.front().size(0);

  attention::Attention attention(plan_attention(
      request_, {transformer.config().embeds_guidance, transformer.config().num_layers(),
                 transformer.config().num_heads}));
  const at::Tensor noise = make_noise(request_, seed, transformer.config().channels);
  const DenoiseInputs inputs{noise,
                             texts.first,
                             texts.second,
                             request_.num_steps,
                             request_.guidance,
                             request_.cfg_scale,
                             request_.flow_shift};
  auto result = run_stage("denoise", report.stages_ms, [&] {
    return denoise(transformer, inputs, attention, progress_, stop_);
  });
  report.steps = std::move(result.steps);
  const at::Tensor kept = result.latents.cpu();
  outputs_.keep_latents(clip, kept);
  result.throw_if_failed();
  report.noise_sha256 = sha256(noise);
  report.latents_sha256 = sha256(kept);
  report.attention = attention.schedule().to_json();
  report.density = attention.statistics().density_json();
  report.attention_times = attention.statistics().times_json();

  decode_clip(clip, result.latents, report);
  report.peak_device_bytes = peak_device_bytes(device_);
  report.peak_host_bytes = peak_host_bytes();
  for (const auto& [name, ms] : report.stages_ms) report.total_ms += ms;
  outputs_.complete(clip, identity_, report);
}

void Run::decode_clip(size_t clip, const at::Tensor& latents, ClipReport& report) {
  if (!decoder_) {
    decoder_ = run_stage("load vae", shared_times_, [&] {
      return load_decoder(folder_, device_, request_.compute.vae_dtype, load_progress());
    });
    report.stages_ms.push_back(shared_times_.back());
  }
  const auto plan = plan_vae_tiles(request_.vae_tiling, request_.geometry().latents);
  report.tile_plan = plan.text();
  run_stage("decode", report.stages_ms, [&] {
    decode_video(*decoder_, latents, plan, outputs_.frames(clip), progress_, stop_);
    return 0;
  });
}

}  // namespace

void generate(const GenerationRequest& request, const weights::ModelFolder& folder,
              ClipOutputs& outputs, Progress& progress, const StopRequest& stop) {
  Run(request, folder, outputs, progress, stop).generate();
}

}  // namespace reel::pipeline
