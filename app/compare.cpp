// `sparsereel compare`: sparse clips next to dense ones from the same noise.
#include <ATen/Parallel.h>

#include "app/commands.h"
#include "app/compare_plan.h"
#include "app/comparer.h"
#include "app/request_flags.h"

namespace reel::app {
namespace {

// Prompt by prompt, so that one dense clip is kept at a time.
eval::Comparison compare(const ComparePlan& plan, RunProgress& progress, Console& console) {
  Comparer comparer(plan, progress, console);
  for (size_t prompt = 0; prompt < plan.prompts.size(); ++prompt) {
    const at::Tensor dense = comparer.render_dense(prompt);
    if (prompt == 0 && plan.noise_floor) comparer.render_noise_floor(prompt, dense);
    for (size_t setting = 1; setting < plan.settings.size(); ++setting) {
      comparer.render_sparse(prompt, setting, dense);
    }
  }
  return comparer.result();
}

}  // namespace

int run_compare(const ParsedFlags& flags, Console& console) {
  Problems problems;
  const std::string mode = progress_mode(flags, problems);
  problems.throw_if_any<ConfigError>("compare");
  const ComparePlan plan = plan_compare(flags);
  if (flags.has("--dry-run")) {
    const std::string text = compare_plan_text(plan);
    console.result(text.substr(0, text.size() - 1));
    return 0;
  }
  at::set_num_threads(plan.settings.front().requests.front().compute.threads);
  const auto progress = make_progress(mode, console, /*tells_outputs=*/false);
  const auto result = compare(plan, *progress, console);
  const std::string json = write_comparison(plan, result);
  const std::string text = flags.has("--json") ? json : result.table();
  console.result(text.substr(0, text.size() - 1));
  return 0;
}

}  // namespace reel::app
