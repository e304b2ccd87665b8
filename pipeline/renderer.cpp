#include "pipeline/renderer.h"

#include <ATen/ATen.h>

#include "attention/attention.h"
#include "core/sha256.h"
#include "pipeline/decode.h"
#include "pipeline/device_facts.h"
#include "pipeline/models.h"
#include "pipeline/noise.h"

namespace reel::pipeline {
namespace {

constexpr int64_t kMaskHeads = 4;

TextConditioning conditioning(const text_encoder::EncodedPrompt& encoded) {
  return {{encoded.states}, encoded.pooled.unsqueeze(0)};
}

attention::Attention make_attention(const GenerationRequest& request, const ModelFacts& facts) {
  attention::Attention attention(plan_attention(request, facts));
  if (request.recall_samples > 0) attention.probe_recall(request.recall_samples);
  if (request.curves) {
    GenerationRequest would_be = request;
    would_be.attention = request.curves->attention;
    attention.probe_curves(attention::CurveProbe(plan_attention(would_be, facts),
                                                 request.curves->taus, request.curves->samples));
  }
  if (request.mask_heads) {
    const auto heads = request.mask_heads->empty()
                           ? attention::spread_heads(attention.schedule(), kMaskHeads)
                           : *request.mask_heads;
    attention.probe_masks(
        attention::MaskProbe(attention::calls_to_show(attention.schedule(), heads)));
  }
  return attention;
}

}  // namespace

Renderer::Renderer(const weights::ModelFolder& folder, const ComputeChoice& compute,
                   Progress& progress, const StopRequest& stop)
    : folder_(folder),
      compute_(compute),
      progress_(progress),
      stop_(stop),
      identity_(identify(compute, folder)) {}

// Nothing starts once a stop is asked for.
template <typename Work>
auto Renderer::run_stage(const std::string& name, StageTimes& times, const Work& work) {
  stop_.throw_if_requested();
  return pipeline::run_stage(name, compute_.device, progress_, times, work);
}

weights::LoadProgress Renderer::load_progress() {
  return [this](uint64_t done, uint64_t total) {
    stop_.throw_if_requested();
    progress_.loaded(static_cast<int64_t>(done), static_cast<int64_t>(total));
  };
}

void Renderer::load_encoders(StageTimes& times) {
  if (conditioner_) return;
  conditioner_.emplace(run_stage("load text encoders", times, [&] {
    return load_text_conditioner(folder_, compute_.device, compute_.dtype, load_progress());
  }));
}

text_encoder::EncodedPrompt Renderer::encode(const std::string& prompt, PromptTemplate which) {
  StageTimes times;
  load_encoders(times);
  stop_.throw_if_requested();
  return conditioner_->encode(prompt, which == PromptTemplate::kImage
                                          ? text_encoder::Template::kImage
                                          : text_encoder::Template::kVideo);
}

ClipTexts Renderer::encode(const GenerationRequest& request) {
  ClipTexts texts;
  load_encoders(texts.times_ms);
  const auto encode_one = [&](const std::string& prompt) {
    const auto encoded = encode(prompt, request.prompt_template);
    for (const auto& warning : encoded.warnings) progress_.warn(warning);
    return conditioning(encoded);
  };
  run_stage("encode text", texts.times_ms, [&] {
    texts.text = encode_one(request.prompt);
    if (request.uses_negative_prompt()) texts.negative = encode_one(request.negative_prompt);
    return 0;
  });
  return texts;
}

const dit::Transformer& Renderer::load_transformer() {
  if (!transformer_) {
    conditioner_.reset();
    transformer_.emplace(run_stage("load transformer", load_times_ms_, [&] {
      return pipeline::load_transformer(folder_, compute_.device, compute_.dtype, load_progress());
    }));
  }
  return *transformer_;
}

void Renderer::render(const GenerationRequest& request, size_t clip, const ClipTexts& texts,
                      ClipOutputs& outputs) {
  const dit::Transformer& transformer = load_transformer();
  stop_.throw_if_requested();
  const uint64_t seed = request.seeds.at(clip);
  progress_.clip_started(clip, request.seeds.size(), seed);
  ClipReport report;
  report.seed = seed;
  report.stages_ms = texts.times_ms;
  report.stages_ms.insert(report.stages_ms.end(), load_times_ms_.begin(), load_times_ms_.end());
  report.num_text_tokens = texts.text.states.front().size(0);

  const dit::Config& config = transformer.config();
  attention::Attention attention =
      make_attention(request, {config.embeds_guidance, config.num_layers(), config.num_heads});
  const at::Tensor noise = make_noise(request, seed, config.channels);
  const DenoiseInputs inputs{noise,
                             texts.text,
                             texts.negative,
                             request.num_steps,
                             request.guidance,
                             request.cfg_scale,
                             request.flow_shift};
  auto result = run_stage("denoise", report.stages_ms, [&] {
    return denoise(transformer, inputs, attention, progress_, stop_);
  });
  report.steps = std::move(result.steps);
  const at::Tensor kept = result.latents.cpu();
  outputs.keep_latents(clip, kept);
  result.throw_if_failed();
  report.noise_sha256 = sha256(noise);
  report.latents_sha256 = sha256(kept);
  report.attention = attention.schedule().to_json();
  report.density = attention.statistics().density_json();
  if (attention.recall()) report.recall = attention.recall()->to_json();
  if (attention.curves()) report.curves = attention.curves()->curves();
  if (attention.masks()) report.masks = attention.masks()->masks();
  report.attention_times = attention.statistics().times_json();

  decode_clip(request, clip, result.latents, outputs, report);
  report.peak_device_bytes = peak_device_bytes(compute_.device);
  report.peak_host_bytes = peak_host_bytes();
  for (const auto& [name, ms] : report.stages_ms) report.total_ms += ms;
  outputs.complete(clip, identity_, report);
}

void Renderer::decode_clip(const GenerationRequest& request, size_t clip, const at::Tensor& latents,
                           ClipOutputs& outputs, ClipReport& report) {
  if (!decoder_) {
    decoder_.emplace(run_stage("load vae", load_times_ms_, [&] {
      return load_decoder(folder_, compute_.device, compute_.vae_dtype, load_progress());
    }));
    report.stages_ms.push_back(load_times_ms_.back());
  }
  const auto plan = plan_vae_tiles(request.vae_tiling, request.geometry().latents);
  report.tile_plan = plan.text();
  run_stage("decode", report.stages_ms, [&] {
    decode_video(*decoder_, latents, plan, outputs.frames(clip), progress_, stop_);
    return 0;
  });
}

}  // namespace reel::pipeline
