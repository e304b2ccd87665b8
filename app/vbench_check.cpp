// `sparsereel vbench run` and `vbench check`: renders the videos of a VBench run, and looks at
// them.
#include <nlohmann/json.hpp>

#include "app/batch.h"
#include "app/commands.h"
#include "app/vbench_files.h"
#include "media/frame_rate.h"
#include "vbench/prompt_set.h"
#include "vbench/protocol.h"

namespace reel::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kListName = "vbench.json";
constexpr int kIncomplete = 5;

// What `vbench prepare` wrote into the jobs' tags.
std::vector<vbench::WantedVideo> wanted_by(const std::vector<batch::Job>& jobs) {
  Problems problems;
  std::vector<vbench::WantedVideo> wanted;
  for (const auto& job : jobs) {
    const auto& tags = job.tags;
    const bool ours = tags.is_object() && tags.contains("vbench") && tags["vbench"].is_object() &&
                      tags["vbench"].contains("dimensions");
    if (!ours) {
      problems.add(job.where, ": tags: no vbench in it: want a list made by vbench prepare");
      continue;
    }
    wanted.push_back({.name = job.video,
                      .dimensions = tags["vbench"]["dimensions"].get<std::vector<std::string>>(),
                      .frames = job.request.size.frames,
                      .frame_rate = job.request.frame_rate});
  }
  problems.throw_if_any<ConfigError>("vbench run");
  return wanted;
}

std::vector<vbench::WantedVideo> wanted_by_list(const ParsedFlags& flags) {
  Problems problems;
  vbench::Selection selection;
  if (flags.takes("--samples")) {
    selection.samples = flags.integer("--samples", problems).value_or(vbench::kSamples);
  }
  const auto prompts =
      vbench::select_prompts(vbench::read_info(info_file(flags), problems), selection, problems);
  problems.throw_if_any<ConfigError>("vbench");
  std::vector<vbench::WantedVideo> wanted;
  for (const auto& prompt : prompts) {
    for (int64_t i = 0; i < prompt.samples; ++i) {
      wanted.push_back({.name = vbench::video_name(prompt.entry.prompt, i),
                        .dimensions = prompt.entry.dimensions,
                        .frames = 0,
                        .frame_rate = {}});
    }
  }
  return wanted;
}

}  // namespace

int run_vbench_run(const ParsedFlags& flags, Console& console) {
  const BatchPlan plan = plan_batch(flags);
  const auto wanted = wanted_by(plan.jobs);
  if (!plan.jobs.empty()) {
    const auto& request = plan.jobs.front().request;
    const auto rate = media::parse_frame_rate(request.frame_rate);
    console.info("length     " +
                 vbench::length_rule(static_cast<double>(request.size.frames) / rate.fps()));
  }
  if (show_plan(plan, flags, console)) return 0;
  plan.folder.make();
  plan.folder.write(plan.folder.root() / kListName, vbench::to_json(wanted));
  return render_batch(plan, flags, console);
}

VideoSet find_video_set(const ParsedFlags& flags) {
  if (flags.arguments().empty()) {
    fail<ConfigError>("vbench: no folder: want DIR, the --output-dir of vbench run");
  }
  const fs::path root = flags.arguments().front();
  std::error_code ignored;
  const fs::path inner = root / "videos";
  VideoSet set{.folder = fs::is_directory(inner, ignored) ? inner : root, .wanted = {}};
  // For vbench check, --info asks for another list; vbench evaluate passes it on.
  const bool other_list = flags.takes("--samples") && flags.has("--info");
  if (fs::exists(root / kListName, ignored) && !other_list) {
    set.wanted = vbench::read_wanted(root / kListName);
  } else if (flags.has("--info")) {
    set.wanted = wanted_by_list(flags);
  } else {
    fail<ConfigError>(root.string(),
                      ": no vbench.json in it: vbench run writes it; with --info "
                      "FILE the whole list is looked for");
  }
  return set;
}

int run_vbench_check(const ParsedFlags& flags, Console& console) {
  const VideoSet set = find_video_set(flags);
  const auto check = vbench::check_videos(set.folder, set.wanted);
  constexpr size_t kMostNames = 20;
  const bool all = console.verbosity() == Verbosity::kVerbose;
  const std::string text = flags.has("--json")
                               ? check.to_json().dump(2) + "\n"
                               : vbench::check_text(check, all ? set.wanted.size() : kMostNames);
  console.result(text.substr(0, text.size() - 1));
  return check.complete() ? 0 : kIncomplete;
}

}  // namespace reel::app
