// `sparsereel batch`: a list of jobs, rendered once each whatever happens on the way.
#include <ATen/Parallel.h>

#include "app/batch.h"
#include "app/batch_progress.h"
#include "app/batch_renderer.h"
#include "app/commands.h"
#include "app/request_flags.h"
#include "app/signals.h"

namespace reel::app {
namespace {

constexpr int kSomeFailed = 5;

int exit_code_of(const batch::RunSummary& summary) {
  if (summary.num_failed == 0) return 0;
  const bool ended_by_failure = !summary.went_on || summary.last_failure->ends_run;
  return ended_by_failure ? summary.last_failure->exit_code : kSomeFailed;
}

}  // namespace

int run_batch(const ParsedFlags& flags, Console& console) {
  const BatchPlan plan = plan_batch(flags);
  if (show_plan(plan, flags, console)) return 0;
  return render_batch(plan, flags, console);
}

bool show_plan(const BatchPlan& plan, const ParsedFlags& flags, Console& console) {
  for (const auto& note : plan.notes) console.warn(note);
  if (!flags.has("--dry-run")) return false;
  const std::string text = batch_plan_text(plan, flags.text("--measured"));
  console.result(text.substr(0, text.size() - 1));
  return true;
}

int render_batch(const BatchPlan& plan, const ParsedFlags& flags, Console& console,
                 bool tells_outputs) {
  Problems problems;
  const std::string mode = progress_mode(flags, problems);
  problems.throw_if_any<ConfigError>("batch");
  at::set_num_threads(plan.compute.threads);
  plan.folder.make();
  plan.folder.keep_date(plan.date);
  const pipeline::StopRequest stop(watch_signals());
  BatchProgress progress(mode, plan.jobs, plan.options.shard, console, tells_outputs);
  BatchRenderer renderer(plan, progress, console, stop);
  const auto summary =
      batch::run_jobs(plan.jobs, plan.folder, plan.options, renderer, progress, stop);
  progress.run_ended(summary, plan.folder.report().string());
  return exit_code_of(summary);
}

}  // namespace reel::app
