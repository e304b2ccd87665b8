#include "app/request_flags.h"

#include <algorithm>

#include "app/progress.h"
#include "core/printable.h"

namespace reel::app {
namespace {

std::optional<std::filesystem::path> path_of(const ParsedFlags& flags, const std::string& name) {
  if (const auto text = flags.text(name)) return std::filesystem::path(*text);
  return std::nullopt;
}

void take_size(const ParsedFlags& flags, pipeline::RequestOptions& options, Problems& problems) {
  options.width = flags.integer("--width", problems);
  options.height = flags.integer("--height", problems);
  options.frames = flags.integer("--frames", problems);
  const auto both = flags.pair("--video-size");
  if (!both) return;
  if (options.width || options.height) {
    problems.add("--video-size: cannot go with --width or --height");
    return;
  }
  options.height = parse_integer(both->at(0));
  options.width = parse_integer(both->at(1));
  if (!options.height || !options.width) {
    problems.add("--video-size: not two whole numbers: got ", printable(both->at(0)), " ",
                 printable(both->at(1)), ", want H W");
  }
}

// Work shared between GPUs comes later; the value that says "one GPU" is what happens anyway.
void refuse_parallel(const ParsedFlags& flags, Problems& problems) {
  for (const char* name : {"--ulysses", "--ring"}) {
    const auto count = flags.integer(name, problems);
    if (count && *count != 1) {
      problems.add(name, ": not in this version: got ", *count, ", want 1");
    }
  }
}

}  // namespace

pipeline::ComputeOptions compute_options(const ParsedFlags& flags, Problems& problems) {
  pipeline::ComputeOptions options;
  options.device = flags.text("--device").value_or(options.device);
  options.dtype = flags.text("--dtype");
  options.threads = flags.integer("--threads", problems);
  if (!flags.takes("--offload")) return options;
  options.offload = flags.text("--offload");
  if (flags.has("--use-cpu-offload")) {
    if (options.offload) problems.add("--use-cpu-offload: cannot go with --offload");
    options.offload = "blocks";
  }
  if (flags.takes("--max-vram")) options.max_vram = flags.number("--max-vram", problems);
  return options;
}

pipeline::VaeTilingOptions tiling_options(const ParsedFlags& flags) {
  pipeline::VaeTilingOptions options;
  options.mode = flags.text("--vae-tiling").value_or(options.mode);
  options.tile = flags.text("--vae-tile");
  return options;
}

attention::ScheduleOptions schedule_options(const ParsedFlags& flags, Problems& problems) {
  attention::ScheduleOptions options;
  options.dense_tail = flags.integer("--dense-tail", problems).value_or(options.dense_tail);
  options.dense_layers = flags.text("--dense-layers").value_or(options.dense_layers);
  options.dense_sigma = flags.number("--dense-sigma", problems);
  options.schedule_file = path_of(flags, "--schedule");
  options.head_tau_file = path_of(flags, "--head-tau");
  options.protect = flags.text("--protect").value_or(options.protect);
  options.select = flags.text("--select").value_or(options.select);
  options.rule = flags.text("--rule").value_or(options.rule);
  return options;
}

pipeline::RequestOptions request_options(const ParsedFlags& flags, Problems& problems) {
  pipeline::RequestOptions options;
  if (flags.takes("--prompt")) {  // else prompts come from elsewhere
    options.prompt = flags.text("--prompt");
  }
  if (flags.takes("--prompt-file")) {
    options.prompt_file = path_of(flags, "--prompt-file");
    options.noise_file = path_of(flags, "--latents");
  }
  options.negative_prompt = flags.text("--negative-prompt");
  options.prompt_template = flags.text("--template").value_or(options.prompt_template);
  take_size(flags, options, problems);
  options.steps = flags.integer("--steps", problems);
  options.seed = flags.text("--seed").value_or(options.seed);
  if (flags.takes("--samples")) {
    options.samples = flags.integer("--samples", problems).value_or(options.samples);
  }
  options.guidance = flags.number("--guidance", problems);
  options.cfg_scale = flags.number("--cfg-scale", problems);
  options.flow_shift = flags.number("--flow-shift", problems);
  options.frame_rate = flags.text("--fps");
  options.attention_mode = flags.text("--attn");
  options.tau = flags.number("--tau", problems);
  options.stride = flags.integer("--stride", problems);
  options.block = flags.integer("--block", problems);
  options.dense_steps = flags.text("--dense-steps");
  options.attention = schedule_options(flags, problems);
  options.vae_tiling = tiling_options(flags);
  options.compute = compute_options(flags, problems);
  constexpr int64_t kRecallSamples = 8;
  if (flags.takes("--probe-recall") && flags.has("--probe-recall")) {
    options.recall_samples = kRecallSamples;
  }
  refuse_parallel(flags, problems);
  return options;
}

int64_t checkpoint_steps(const ParsedFlags& flags, Problems& problems) {
  const auto steps = flags.integer("--checkpoint-every", problems);
  if (steps && *steps < 1) {
    problems.add("--checkpoint-every: too small: got ", *steps, ", want at least 1 step");
  }
  return std::max<int64_t>(steps.value_or(0), 0);
}

OutputOptions output_options(const ParsedFlags& flags, Problems& problems) {
  OutputOptions options;
  options.output = flags.text("--output");
  options.output_dir = flags.text("--output-dir");
  options.frames_png = flags.text("--frames-png");
  options.save_latents = flags.has("--save-latents");
  options.latents_file = flags.text("--save-latents");
  options.density_json = flags.text("--density-json");
  options.perf_json = flags.text("--perf-json");
  options.recall_json = flags.text("--probe-recall");
  options.overwrite = flags.has("--overwrite");
  options.resume = flags.has("--resume");
  options.checkpoint_every = checkpoint_steps(flags, problems);
  return options;
}

media::EncoderOptions encoder_options(const ParsedFlags& flags, Problems& problems) {
  return {.codec = flags.text("--codec"),
          .crf = flags.number("--crf", problems),
          .preset = flags.text("--preset"),
          .pix_fmt = flags.text("--pix-fmt"),
          .lossless = flags.has("--lossless")};
}

weights::PartPaths part_paths(const ParsedFlags& flags) {
  return {.transformer = path_of(flags, "--dit"),
          .vae = path_of(flags, "--vae"),
          .text_encoder = path_of(flags, "--text-encoder"),
          .text_encoder_2 = path_of(flags, "--clip")};
}

Verbosity verbosity(const ParsedFlags& flags, Problems& problems) {
  if (flags.has("--quiet") && flags.has("--verbose")) {
    problems.add("--quiet: cannot go with --verbose");
  }
  if (flags.has("--quiet")) return Verbosity::kQuiet;
  return flags.has("--verbose") ? Verbosity::kVerbose : Verbosity::kNormal;
}

std::string progress_mode(const ParsedFlags& flags, Problems& problems) {
  std::string mode = flags.text("--progress").value_or("auto");
  if (!is_progress_mode(mode)) {
    problems.add("--progress: unknown mode: got ", printable(mode),
                 ", want auto, bar, plain, json or none");
  }
  return mode;
}

}  // namespace reel::app
