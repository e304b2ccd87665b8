// `sparsereel decode FILE`: the video of latents that a run kept.
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>

#include "app/clip_files.h"
#include "app/commands.h"
#include "app/known_model.h"
#include "app/output_plan.h"
#include "app/recorded_run.h"
#include "app/request_flags.h"
#include "app/signals.h"
#include "app/video_files.h"
#include "core/device.h"
#include "core/printable.h"
#include "core/sha256.h"
#include "pipeline/decode_retrying.h"
#include "pipeline/memory_use.h"
#include "pipeline/models.h"
#include "pipeline/run_state.h"
#include "pipeline/stage_clock.h"
#include "pipeline/version.h"
#include "vae/config.h"

namespace reel::app {
namespace {

namespace fs = std::filesystem;

struct DecodePlan {
  pipeline::RunState state;
  weights::ModelFolder model;
  pipeline::ComputeChoice compute;
  pipeline::VaeTiling tiling;
  pipeline::ClipSize size;
  std::string frame_rate;
  media::EncoderPlan encoder;
  OutputPlan outputs;
};

pipeline::RunState read_finished(const fs::path& file) {
  auto state = pipeline::read_run_state(file);
  if (!state.finished()) {
    fail<ConfigError>(printable(file.string()), ": denoising is not finished: got ",
                      state.steps.size(), " of ", state.num_steps,
                      " steps, want what generate --resume makes of it");
  }
  return state;
}

// Pixels and frames of latents [1, C, T, h, w].
pipeline::ClipSize size_of(const pipeline::RunState& state) {
  const auto& sizes = state.latents.sizes();
  return {.frames = vae::num_video_frames(sizes[2]),
          .height = sizes[3] * vae::kSpatialRatio,
          .width = sizes[4] * vae::kSpatialRatio};
}

std::string frame_rate(const ParsedFlags& flags, const pipeline::RunState& state,
                       const pipeline::ModelDefaults& defaults) {
  if (const auto given = flags.text("--fps")) return *given;
  const auto recorded = "/request/fps"_json_pointer;
  if (state.clip.contains(recorded)) return frame_rate_of(state.clip.at(recorded));
  return defaults.frame_rate.value_or("24");
}

// The flags, and for what they do not say the run that made the latents: the frames are to be those
// that it would have made.
struct DecodeOptions {
  pipeline::ComputeOptions compute;
  pipeline::VaeTilingOptions tiling;
  media::EncoderOptions encoder;
};

DecodeOptions decode_options(const ParsedFlags& flags, const fs::path& source,
                             const pipeline::RunState& state, Problems& problems) {
  DecodeOptions options{compute_options(flags, problems), tiling_options(flags),
                        encoder_options(flags, problems)};
  if (state.clip.is_null()) return options;
  const auto given = [&](std::initializer_list<const char*> names) {
    return std::any_of(names.begin(), names.end(),
                       [&](const char* name) { return flags.has(name); });
  };
  const auto record =
      JsonReader::parse(state.clip.dump(), printable(source.string()), JsonOwner::kUser);
  const auto compute = recorded_compute(record);
  const bool on_gpu =
      options.compute.device.starts_with("cuda") || (options.compute.device == "auto" && has_gpu());
  if (on_gpu == (compute.device == "cuda")) {
    if (!options.compute.dtype) options.compute.dtype = compute.dtype;
    if (!options.compute.threads) options.compute.threads = compute.threads;
  }
  if (!given({"--vae-tiling", "--vae-tile"})) options.tiling = recorded_tiling(record);
  if (!given({"--codec", "--crf", "--preset", "--pix-fmt", "--lossless"})) {
    options.encoder = recorded_encoder(record);
  }
  return options;
}

OutputPlan outputs_of(const ParsedFlags& flags, const fs::path& source, Problems& problems) {
  std::string name = source.filename().string();
  name = name.substr(0, name.find(".latents.safetensors"));
  OutputPlan outputs;
  fs::path video = flags.text("--output").value_or(fs::path(name).stem().string() + ".mp4");
  if (video.extension() != ".mp4") {
    problems.add("--output: not an MP4: got ", printable(video.string()), ", want FILE.mp4");
  }
  outputs.clips = {{.video = std::move(video),
                    .latents = {},
                    .state = {},
                    .frames_png = {},
                    .density_json = {},
                    .perf_json = {},
                    .recall_json = {},
                    .sidecar = {}}};
  if (const auto png = flags.text("--frames-png")) outputs.clips.front().frames_png = *png;
  outputs.if_exists = flags.has("--overwrite") ? IfExists::kReplace : IfExists::kRefuse;
  return outputs;
}

DecodePlan plan_decode(const ParsedFlags& flags) {
  if (flags.arguments().size() != 1) {
    fail<ConfigError>("decode: one file of latents is wanted: got ", flags.arguments().size());
  }
  const fs::path source = flags.arguments().front();
  Problems problems;
  std::exception_ptr broken;
  auto model = try_model(flags, broken, problems);
  auto outputs = outputs_of(flags, source, problems);
  problems.throw_if_any<ConfigError>("decode");
  auto state = read_finished(source);
  const auto options = decode_options(flags, source, state, problems);
  auto compute = choose_compute(options.compute, problems);
  if (compute) compute->offload = pipeline::Offload::kModels;  // the decoder is alone
  const auto tiling = choose_vae_tiling(options.tiling, problems);
  const auto size = size_of(state);
  const auto rate = frame_rate(flags, state, model ? model->defaults : pipeline::ModelDefaults{});
  pipeline::check_frame_rate(rate, problems);
  auto encoder = plan_encoder(options.encoder, size.width, size.height, problems);
  if (model && state.latents.size(1) != model->num_channels) {
    problems.add(printable(source.string()), ": latents: wrong number of channels: got ",
                 state.latents.size(1), ", want ", model->num_channels);
  }
  if (problems.empty()) check_outputs(outputs, problems);
  problems.throw_if_any<ConfigError>("decode");
  if (broken) std::rethrow_exception(broken);
  return {.state = std::move(state),
          .model = std::move(model->folder),
          .compute = *compute,
          .tiling = *tiling,
          .size = size,
          .frame_rate = rate,
          .encoder = std::move(encoder),
          .outputs = std::move(outputs)};
}

// What is known of the run that made the latents, and what this one did.
nlohmann::json metadata_of(const DecodePlan& plan, const pipeline::VaeTiling& tiling,
                           const pipeline::StageTimes& times) {
  nlohmann::json metadata = plan.state.clip;
  if (metadata.is_null()) {
    metadata = {{"format", 1},
                {"program", pipeline::program_json()},
                {"latents_sha256", sha256(plan.state.latents)}};
  } else {
    if (frame_rate_of(metadata["request"]["fps"]) != plan.frame_rate) {
      metadata["request"]["fps"] = plan.frame_rate;
    }
    const auto latents = pipeline::latent_geometry(plan.size).latents;
    metadata["request"]["tile_plan"] = plan_vae_tiles(tiling, latents).text();
    metadata["request"]["vae_tiling"] = vae_tiling_text(tiling);
  }
  metadata["encoder"] = pipeline::encoder_json(plan.encoder);
  metadata["decoded_by"] = pipeline::program_json();
  for (const auto& [name, ms] : times) metadata["timing_ms"][name] = ms;
  return metadata;
}

}  // namespace

int run_decode(const ParsedFlags& flags, Console& console) {
  Problems problems;
  const std::string mode = progress_mode(flags, problems);
  problems.throw_if_any<ConfigError>("decode");
  const DecodePlan plan = plan_decode(flags);
  const auto tiles = plan_vae_tiles(plan.tiling, pipeline::latent_geometry(plan.size).latents);
  if (flags.has("--dry-run")) {
    console.result(
        fmt::format("video      {} x {}, {} frames at {} a second\nVAE        {}\n"
                    "file       {}",
                    plan.size.width, plan.size.height, plan.size.frames, plan.frame_rate,
                    tiles.text(), plan.outputs.clips.front().video.string()));
    return 0;
  }
  at::set_num_threads(plan.compute.threads);
  make_output_folders(plan.outputs);
  const auto progress = make_progress(mode, console);
  const pipeline::StopRequest stop(watch_signals());
  pipeline::StageTimes times;
  const auto decoder = run_stage("load vae", plan.compute.device, *progress, times, [&] {
    return pipeline::load_decoder(plan.model, plan.compute.device, plan.compute.vae_dtype, nullptr);
  });
  std::unique_ptr<VideoFiles> video;
  const auto open = [&](bool /*again*/) {
    video.reset();  // of an attempt that failed
    video = std::make_unique<VideoFiles>(
        plan.outputs.clips.front(), plan.outputs.if_exists,
        media::VideoFormat{.width = plan.size.width,
                           .height = plan.size.height,
                           .rate = media::parse_frame_rate(plan.frame_rate)},
        plan.encoder);
    return &video->sink();
  };
  const auto decode = [&] {
    try {
      return pipeline::decode_retrying(decoder, plan.state.latents.to(plan.compute.device),
                                       plan.tiling, open, *progress, stop);
    } catch (...) {
      pipeline::rethrow_with_advice("decode", plan.compute);
    }
  };
  const auto tiling = run_stage("decode", plan.compute.device, *progress, times, decode);
  video->finish(metadata_of(plan, tiling, times));
  progress->clip_done(plan.outputs.clips.front().video.string());
  return 0;
}

}  // namespace reel::app
