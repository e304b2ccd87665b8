// `sparsereel replay FILE.mp4`: the same frames again, from the video's metadata alone.
#include <fmt/format.h>

#include "app/commands.h"
#include "app/known_model.h"
#include "app/recorded_run.h"
#include "app/render_clips.h"
#include "app/request_flags.h"
#include "core/device.h"
#include "core/printable.h"
#include "core/strict_json.h"
#include "pipeline/device_facts.h"
#include "pipeline/memory_check.h"
#include "pipeline/noise.h"
#include "pipeline/version.h"

namespace reel::app {
namespace {

namespace fs = std::filesystem;

struct ReplayPlan {
  RecordedRun recorded;
  pipeline::GenerationRequest request;
  weights::ModelFolder model;
  OutputPlan outputs;
  media::EncoderPlan encoder;
  std::vector<std::string> notes;
};

// Where the model of that name may lie.
fs::path model_of(const ParsedFlags& flags, const RecordedRun& recorded, Problems& problems) {
  if (const auto given = flags.text("--model")) return *given;
  const auto name = recorded.metadata.at("model").at("name").get<std::string>();
  for (const fs::path& place : {fs::path("models") / name, fs::path(name)}) {
    std::error_code ignored;
    if (!name.empty() && fs::is_directory(place, ignored)) return place;
  }
  problems.add("--model: is missing: the video was made with ", printable(name),
               ", which is neither here nor in models/");
  return {};
}

void take_noise_file(const ParsedFlags& flags, RecordedRun& recorded, Problems& problems) {
  if (const auto file = flags.text("--latents")) {
    if (!recorded.used_noise_file) {
      problems.add("--latents: the video's noise came from its seed: want no file");
    }
    recorded.options.noise_file = fs::path(*file);
  } else if (recorded.used_noise_file) {
    problems.add("--latents: is missing: the video's noise came from the file ",
                 printable(text_in(recorded.metadata.at("request"), "noise_file")));
  }
}

// Sums of floating point numbers depend on the kind of device and on how many threads share them:
// those of the first run are used unless flags say otherwise.
void take_compute(const ParsedFlags& flags, RecordedRun& recorded, Problems& problems) {
  auto& compute = recorded.options.compute;
  const auto given = compute_options(flags, problems);
  if (flags.has("--device")) {
    compute.device = given.device;
  } else if (compute.device == "cuda" && !has_gpu()) {
    problems.add(
        "--device: the video was made on a GPU, and there is none here: want --device "
        "cpu, which renders it with other latents");
  }
  if (given.dtype) compute.dtype = given.dtype;
  if (given.threads) compute.threads = given.threads;
  if (compute.device == "cpu") compute.offload.reset();  // there was a GPU then
  if (given.offload) compute.offload = given.offload;
  if (given.max_vram) compute.max_vram = given.max_vram;
}

OutputPlan outputs_of(const ParsedFlags& flags, const fs::path& source,
                      const pipeline::GenerationRequest& request, Problems& problems) {
  OutputOptions options;
  options.output = flags.text("--output").value_or(source.stem().string() + ".replay.mp4");
  options.overwrite = flags.has("--overwrite");
  options.save_latents = flags.has("--save-latents");
  options.latents_file = flags.text("--save-latents");
  return plan_outputs(options, request, problems);
}

ReplayPlan plan_replay(const ParsedFlags& flags) {
  if (flags.arguments().size() != 1) {
    fail<ConfigError>("replay: one file is wanted: got ", flags.arguments().size());
  }
  const fs::path source = flags.arguments().front();
  Problems problems;
  ReplayPlan plan{.recorded = read_recorded_run(source),
                  .request = {},
                  .model = {},
                  .outputs = {},
                  .encoder = {},
                  .notes = {}};
  auto& recorded = plan.recorded;
  take_compute(flags, recorded, problems);
  take_noise_file(flags, recorded, problems);
  const fs::path folder = model_of(flags, recorded, problems);
  problems.throw_if_any<ConfigError>("replay");

  const auto model = pipeline::read_known_model(folder, part_paths(flags));
  pipeline::ModelDefaults defaults;
  defaults.guidance = recorded.guidance;
  plan.request = make_request(recorded.options, defaults, model.facts, problems);
  const auto schedule = plan_attention(plan.request, model.facts, problems);
  if (schedule && schedule->hash() != recorded.schedule_hash) {
    problems.add("attention: the metadata do not describe its own schedule: got hash ",
                 schedule->hash().substr(0, 12), ", want ", recorded.schedule_hash.substr(0, 12));
  }
  plan.encoder =
      plan_encoder(recorded.encoder, plan.request.size.width, plan.request.size.height, problems);
  plan.outputs = outputs_of(flags, source, plan.request, problems);
  if (problems.empty()) check_outputs(plan.outputs, problems);
  problems.throw_if_any<ConfigError>("replay");
  plan.model = model.folder;
  plan.notes = settle_memory(plan.model, plan.request);
  return plan;
}

// Exit code 6 and why, if the clip is not the recorded one.
int tell_result(const ReplayPlan& plan, const std::vector<std::string>& origin,
                const nlohmann::json& metadata, Console& console) {
  if (metadata.at("latents_sha256") == plan.recorded.latents_sha256) {
    console.info("the latents are those of the video, bit for bit");
    return 0;
  }
  std::string reason = "nothing that the metadata tell of differs";
  if (metadata.at("noise_sha256") != plan.recorded.noise_sha256) {
    reason = "the noise differs";
  } else if (!origin.empty()) {
    reason = origin.front();
  }
  fail<OutputError>(plan.outputs.clips.front().video.string(),
                    ": other latents than the video's: ", reason);
}

}  // namespace

int run_replay(const ParsedFlags& flags, Console& console) {
  Problems problems;
  const std::string mode = progress_mode(flags, problems);
  problems.throw_if_any<ConfigError>("replay");
  const ReplayPlan plan = plan_replay(flags);
  const auto identity = pipeline::identify(plan.request.compute, plan.model);
  const auto origin =
      differences_of_origin(plan.recorded.metadata, identity, pipeline::program_json());
  for (const auto& note : plan.notes) console.warn(note);
  for (const auto& line : origin) console.warn("not as in the video: " + line);
  if (flags.has("--dry-run")) {
    console.result(plan.recorded.metadata.at("request").dump(
        1, ' ', false, nlohmann::json::error_handler_t::replace));
    return 0;
  }
  const auto metadata = render_clips({.request = plan.request,
                                      .model = plan.model,
                                      .outputs = plan.outputs,
                                      .encoder = plan.encoder,
                                      .job = plan.recorded.metadata.value("job", nlohmann::json()),
                                      .how_to_go_on =
                                          [](const ClipFiles::Rest& rest) {
                                            return rest.finished
                                                       ? "'sparsereel decode' makes the video"
                                                       : std::string("run it again");
                                          }},
                                     mode, console);
  return tell_result(plan, origin, metadata, console);
}

}  // namespace reel::app
