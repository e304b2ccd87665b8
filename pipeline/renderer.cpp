#include "pipeline/renderer.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "attention/attention.h"
#include "core/device.h"
#include "core/error.h"
#include "core/sha256.h"
#include "core/tensor_check.h"
#include "pipeline/decode_retrying.h"
#include "pipeline/device_facts.h"
#include "pipeline/memory_check.h"
#include "pipeline/models.h"
#include "pipeline/noise.h"

namespace reel::pipeline {
namespace {

constexpr int64_t kMaskHeads = 4;

TextConditioning conditioning(const text_encoder::EncodedPrompt& encoded) {
  return {{encoded.states}, encoded.pooled.unsqueeze(0)};
}

double total_ms(const std::vector<StepReport>& steps) {
  double sum = 0;
  for (const auto& step : steps) sum += step.elapsed_ms;
  return sum;
}

void take_measurements(const at::Tensor& latents, attention::Attention& attention,
                       ClipReport& report) {
  report.latents_sha256 = sha256(latents);
  report.attention = attention.schedule().to_json();
  report.density = attention.statistics().density_json();
  if (attention.recall()) report.recall = attention.recall()->to_json();
  if (attention.curves()) report.curves = attention.curves()->curves();
  if (attention.masks()) report.masks = attention.masks()->masks();
  report.attention_kernels = attention.statistics().kernels_json();
  report.attention_times = attention.statistics().times_json();
}

// The attention of one clip with the probes that the request asks for.
attention::Attention make_attention(const GenerationRequest& request,
                                    const attention::AttentionSchedule& schedule,
                                    const ModelFacts& facts) {
  attention::Attention attention(schedule);
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

// Puts the densities of an earlier process beside those that this one will measure. A file that
// came from elsewhere may hold anything.
void restore_density(const RunState& state, int64_t num_calls, attention::Attention& attention) {
  const auto& schedule = attention.schedule();
  const auto fail_shape = [] {
    fail<ConfigError>("state: /density: wrong shape: want a number a step, layer and head");
  };
  if (state.density.size() != state.steps.size()) fail_shape();
  for (size_t step = 0; step < state.density.size(); ++step) {
    const auto& layers = state.density[step];
    if (!layers.is_array() || std::ssize(layers) != schedule.num_layers()) fail_shape();
    for (size_t layer = 0; layer < layers.size(); ++layer) {
      std::vector<double> density;
      for (const auto& head : layers[layer]) {
        if (!head.is_number()) fail_shape();
        density.push_back(head.get<double>());
      }
      if (std::ssize(density) != schedule.num_heads()) fail_shape();
      attention.add_earlier(static_cast<int64_t>(step), static_cast<int64_t>(layer), density,
                            num_calls);
    }
  }
}

}  // namespace

Renderer::Renderer(const weights::ModelFolder& folder, const ComputeChoice& compute,
                   Progress& progress, const StopRequest& stop)
    : folder_(folder),
      compute_(compute),
      progress_(progress),
      stop_(stop),
      identity_(identify(compute, folder)) {
  limit_device_memory(compute.device, compute.max_vram_bytes);
}

// Nothing starts once a stop is asked for.
template <typename Work>
auto Renderer::run_stage(const std::string& name, StageTimes& times, const Work& work) {
  stop_.throw_if_requested();
  start_peak(compute_.device);
  try {
    auto result = pipeline::run_stage(name, compute_.device, progress_, times, work);
    add_peak(name);
    return result;
  } catch (...) {
    rethrow_with_advice(name, compute_);
  }
}

// Of stages that ran more than once the largest counts.
void Renderer::add_peak(const std::string& stage) {
  const StagePeak peak = read_peak(stage, compute_.device);
  const auto known = std::find_if(peaks_.begin(), peaks_.end(),
                                  [&](const StagePeak& other) { return other.stage == stage; });
  if (known == peaks_.end()) {
    peaks_.push_back(peak);
    return;
  }
  known->tensor_bytes = std::max(known->tensor_bytes, peak.tensor_bytes);
  known->reserved_bytes = std::max(known->reserved_bytes, peak.reserved_bytes);
  known->host_bytes = std::max(known->host_bytes, peak.host_bytes);
}

MemoryPlan Renderer::memory_plan(const GenerationRequest& request) {
  if (!sizes_) sizes_ = read_model_sizes(folder_);
  return plan_memory(*sizes_, request);
}

weights::LoadProgress Renderer::load_progress() {
  return [this](uint64_t done, uint64_t total) {
    stop_.throw_if_requested();
    progress_.loaded(static_cast<int64_t>(done), static_cast<int64_t>(total));
  };
}

void Renderer::load_encoders(StageTimes& times) {
  if (models_.text_encoders) return;
  models_.make_room_for_text_encoders(compute_);
  models_.text_encoders.emplace(run_stage("load text encoders", times, [&] {
    return load_text_conditioner(folder_, compute_.device, compute_.dtype, load_progress());
  }));
  if (!models_.transformer) read_transformer_ahead();
}

// The encoders' files are read, so the disk is free; encoding does not need it. Only if all of the
// transformer fits beside what is in use: else its end would push its beginning out again.
void Renderer::read_transformer_ahead() {
  const auto source = weights::open_part(folder_.transformer);
  uint64_t bytes = 0;
  for (const auto& file : source.files()) bytes += file.bytes;
  if (free_bytes(at::Device(at::kCPU)) > static_cast<int64_t>(bytes)) read_ahead_.emplace(source);
}

text_encoder::EncodedPrompt Renderer::encode(const std::string& prompt, PromptTemplate which) {
  StageTimes times;
  load_encoders(times);
  stop_.throw_if_requested();
  return models_.text_encoders->encode(prompt, which == PromptTemplate::kImage
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

void Renderer::drop_text_encoders() {
  if (!keeps_encoders_ || compute_.offload == Offload::kModels) models_.text_encoders.reset();
}

const dit::Transformer& Renderer::load_transformer() {
  if (!models_.transformer) {
    read_ahead_.reset();
    drop_text_encoders();
    models_.make_room_for_transformer(compute_);
    if (compute_.offload == Offload::kModels) load_times_ms_.clear();  // each clip has its own
    models_.transformer.emplace(run_stage("load transformer", load_times_ms_, [&] {
      const auto load = compute_.offload == Offload::kBlocks ? load_streamed_transformer
                                                             : pipeline::load_transformer;
      return load(folder_, compute_.device, compute_.dtype, load_progress());
    }));
  }
  return *models_.transformer;
}

ModelFacts Renderer::facts() {
  if (!config_) config_ = read_transformer_config(folder_);
  return {config_->embeds_guidance, config_->num_layers(), config_->num_heads};
}

Renderer::ClipStart Renderer::start_of(const GenerationRequest& request, size_t clip) {
  const uint64_t seed = request.seeds.at(clip);
  ClipStart start;
  start.schedule = plan_attention(request, facts());
  start.noise = make_noise(request, seed, config_->channels);
  start.noise_sha256 = sha256(start.noise);
  start.hash = latents_hash(request, seed, start.schedule.hash(), identity_, start.noise_sha256);
  return start;
}

void Renderer::check_state(const RunState& state, const ClipStart& start, int64_t num_steps) {
  if (state.latents.sizes() != start.noise.sizes() || state.num_steps != num_steps) {
    fail<ConfigError>("state: of another run: got ", shape_text(state.latents.sizes()), " and ",
                      state.num_steps, " steps, want ", shape_text(start.noise.sizes()), " and ",
                      num_steps);
  }
}

bool Renderer::needs_text(const GenerationRequest& request, size_t clip, ClipOutputs& outputs) {
  const auto earlier = outputs.earlier_work(clip, start_of(request, clip).hash);
  return !earlier.done && !(earlier.state && earlier.state->finished());
}

void Renderer::render(const GenerationRequest& request, size_t clip, const ClipTexts& texts,
                      ClipOutputs& outputs) {
  const ClipStart start = start_of(request, clip);
  EarlierWork earlier = outputs.earlier_work(clip, start.hash);
  if (earlier.done) return;
  const bool finished = earlier.state && earlier.state->finished();
  if (!finished) load_transformer();
  stop_.throw_if_requested();
  ClipReport report;
  report.seed = request.seeds.at(clip);
  report.request_hash = start.hash;
  report.noise_sha256 = start.noise_sha256;
  progress_.clip_started(clip, request.seeds.size(), report.seed);
  attention::Attention attention = make_attention(request, start.schedule, facts());
  if (earlier.state) {
    check_state(*earlier.state, start, request.num_steps);
    restore_density(*earlier.state, request.uses_negative_prompt() ? 2 : 1, attention);
  }

  at::Tensor latents;
  if (finished) {
    latents = earlier.state->latents.to(compute_.device);
    report.steps = std::move(earlier.state->steps);
    report.stages_ms = std::move(earlier.state->stages_ms);
    report.num_text_tokens = earlier.state->num_text_tokens;
    take_measurements(earlier.state->latents, attention, report);
  } else {
    latents = denoise_clip(request, clip, texts, start, earlier.state, attention, outputs, report);
  }
  decode_clip(request, clip, latents, outputs, report);
  report.memory_plan = memory_plan(request);
  report.memory_peaks = peaks_;
  for (const auto& peak : peaks_) {
    report.peak_device_bytes = std::max(report.peak_device_bytes, peak.tensor_bytes);
  }
  report.peak_host_bytes = peak_host_bytes();
  for (const auto& [name, ms] : report.stages_ms) report.total_ms += ms;
  outputs.complete(clip, identity_, report);
}

at::Tensor Renderer::denoise_clip(const GenerationRequest& request, size_t clip,
                                  const ClipTexts& texts, const ClipStart& start,
                                  const std::optional<RunState>& earlier,
                                  attention::Attention& attention, ClipOutputs& outputs,
                                  ClipReport& report) {
  report.stages_ms = texts.times_ms;
  report.stages_ms.insert(report.stages_ms.end(), load_times_ms_.begin(), load_times_ms_.end());
  report.num_text_tokens = texts.text.states.front().size(0);
  DenoiseInputs inputs{start.noise,      texts.text,        texts.negative,     request.num_steps,
                       request.guidance, request.cfg_scale, request.flow_shift, {}};
  if (earlier) {
    inputs.noise = earlier->latents;
    inputs.done = earlier->steps;
    report.stages_ms.emplace_back("denoise earlier", total_ms(earlier->steps));
  }
  const auto keep = [&](const DenoiseResult& so_far, const at::Tensor& latents) {
    report.steps = so_far.steps;
    take_measurements(latents, attention, report);
    outputs.keep_state(clip,
                       {.latents = latents,
                        .hash = start.hash,
                        .steps = so_far.steps,
                        .num_steps = request.num_steps,
                        .density = report.density.at("density"),
                        .stages_ms = report.stages_ms,
                        .num_text_tokens = report.num_text_tokens,
                        .clip = {}},
                       identity_, report);
  };
  const auto after_step = [&](const DenoiseResult& so_far, bool stopping) {
    const int64_t num_done = std::ssize(so_far.steps);
    if (num_done == 0 || num_done == request.num_steps) return;  // nothing yet, or kept below
    if (outputs.wants_state(num_done, stopping)) keep(so_far, so_far.latents.cpu());
  };
  auto result = run_stage("denoise", report.stages_ms, [&] {
    return denoise(*models_.transformer, inputs, attention, progress_, stop_, after_step);
  });
  const at::Tensor kept = result.latents.cpu();
  outputs.keep_latents(clip, kept);
  result.throw_if_failed();
  keep(result, kept);
  return result.latents;
}

void Renderer::decode_clip(const GenerationRequest& request, size_t clip, const at::Tensor& latents,
                           ClipOutputs& outputs, ClipReport& report) {
  models_.make_room_for_decoder(compute_);
  if (!models_.decoder) {
    models_.decoder.emplace(run_stage("load vae", load_times_ms_, [&] {
      return load_decoder(folder_, compute_.device, compute_.vae_dtype, load_progress());
    }));
    report.stages_ms.push_back(load_times_ms_.back());
  }
  const auto open = [&](bool again) {
    return again && !outputs.can_start_again(clip) ? nullptr : &outputs.frames(clip);
  };
  const auto tiling = run_stage("decode", report.stages_ms, [&] {
    return decode_retrying(*models_.decoder, latents, request.vae_tiling, open, progress_, stop_);
  });
  report.vae_tiling = vae_tiling_text(tiling);
  report.tile_plan = plan_vae_tiles(tiling, request.geometry().latents).text();
}

}  // namespace reel::pipeline
