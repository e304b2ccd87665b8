// `sparsereel generate`: one prompt, one or more clips.
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/clip_files.h"
#include "app/commands.h"
#include "app/config_file.h"
#include "app/exit_code.h"
#include "app/generate_plan.h"
#include "app/request_flags.h"
#include "app/signals.h"
#include "pipeline/text_to_video.h"

namespace reel::app {
namespace {

void warn_about(const ParsedFlags& flags, const GeneratePlan& plan, Console& console) {
  if (flags.has("--video-size")) {
    console.warn("--video-size takes the height first: " + std::to_string(plan.request.size.width) +
                 " wide, " + std::to_string(plan.request.size.height) + " high");
  }
  for (const auto& note : plan.schedule.notes()) console.warn(note);
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

  at::set_num_threads(plan.request.compute.threads);
  make_output_folders(plan.outputs);
  const auto progress = make_progress(mode, console);
  ClipFiles files(plan.request, plan.outputs, plan.encoder, *progress);
  try {
    pipeline::generate(plan.request, plan.model, files, *progress,
                       pipeline::StopRequest(watch_signals()));
  } catch (...) {
    const Failure failure = describe_failure(std::current_exception());
    progress->clip_failed(failure.message, failure.exit_code);
    rescue(files, console, [&](const ClipFiles::Rest& rest) { return how_to_go_on(plan, rest); });
    throw;
  }
  return 0;
}

}  // namespace reel::app
