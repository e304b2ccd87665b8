// `sparsereel generate`: one prompt, one or more clips.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/config_file.h"
#include "app/generate_plan.h"
#include "app/render_clips.h"
#include "app/request_flags.h"

namespace reel::app {
namespace {

void warn_about(const ParsedFlags& flags, const GeneratePlan& plan, Console& console) {
  if (flags.has("--video-size")) {
    console.warn("--video-size takes the height first: " + std::to_string(plan.request.size.width) +
                 " wide, " + std::to_string(plan.request.size.height) + " high");
  }
  for (const auto& note : plan.schedule.notes()) console.warn(note);
  for (const auto& note : plan.memory_notes) console.warn(note);
  if (flags.text("--seed") == "random") {
    console.warn("--seed random: " + std::to_string(plan.request.seeds.front()));
  }
}

// What to type after a failure that left something.
std::string how_to_go_on(const GeneratePlan& plan, const ClipFiles::Rest& rest) {
  if (!rest.finished) return "the same command with --resume goes on from there";
  return fmt::format("'sparsereel decode {} --model {} -o {}' makes the video", rest.file.string(),
                     plan.model.root.string(), rest.video.string());
}

}  // namespace

int run_generate(const ParsedFlags& flags, Console& console) {
  Problems problems;
  const std::string mode = progress_mode(flags, problems);
  problems.throw_if_any<ConfigError>("generate");
  const GeneratePlan plan = plan_generate(flags);
  warn_about(flags, plan, console);
  if (flags.has("--dry-run")) {
    const std::string text = plan_text(plan);
    console.result(
        text + "config     " +
        config_of(flags).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    return 0;
  }

  const auto metadata = render_clips(
      {.request = plan.request,
       .model = plan.model,
       .outputs = plan.outputs,
       .encoder = plan.encoder,
       .job = nullptr,
       .how_to_go_on = [&](const ClipFiles::Rest& rest) { return how_to_go_on(plan, rest); }},
      mode, console);
  if (metadata.contains("memory_bytes")) {
    const auto& memory = metadata.at("memory_bytes");
    console.info("memory: planned " +
                 pipeline::gigabytes_text(memory.value("planned", int64_t{0})) + ", used " +
                 pipeline::gigabytes_text(memory.value("used", int64_t{0})));
  }
  return 0;
}

}  // namespace reel::app
