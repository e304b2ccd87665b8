// `sparsereel calibrate`: a threshold for every head from dense clips of a few prompts, and what it
// does to sparse ones (docs/CALIBRATION.md).
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/calibrate_plan.h"
#include "app/commands.h"
#include "app/comparer.h"
#include "app/request_flags.h"
#include "attention/threshold_table.h"

namespace reel::app {
namespace {

// The dense clips of a calibration: their frames, and the curves of all of them together.
struct DenseClips {
  std::vector<at::Tensor> frames;
  attention::HeadCurves curves;
};

DenseClips render_dense(const CalibratePlan& plan, Comparer& comparer) {
  std::vector<at::Tensor> frames;
  std::optional<attention::HeadCurves> curves;
  for (size_t prompt = 0; prompt < plan.clips.prompts.size(); ++prompt) {
    frames.push_back(comparer.render_dense(prompt));
    const auto& report = comparer.result().settings[kDenseSetting].clips.back().report;
    if (curves) {
      curves->add(*report.curves);
    } else {
      curves = report.curves;
    }
  }
  return {std::move(frames), std::move(*curves)};
}

void tell_tables(const attention::ThresholdTable& uniform, const attention::ThresholdTable& best,
                 Console& console) {
  const auto line = [](const char* name, const attention::ThresholdTable& table) {
    return fmt::format("{}: density {:.4f}, recall of the true attention {:.4f}", name,
                       table.density, table.recall);
  };
  console.info(line("measured in the dense clips, one tau for all", uniform));
  console.info(line("measured in the dense clips, a tau a head   ", best));
}

}  // namespace

int run_calibrate(const ParsedFlags& flags, Console& console) {
  Problems problems;
  const std::string mode = progress_mode(flags, problems);
  problems.throw_if_any<ConfigError>("calibrate");
  const CalibratePlan plan = plan_calibrate(flags);
  if (flags.has("--dry-run")) {
    const std::string text = compare_plan_text(plan.clips);
    console.result(text.substr(0, text.size() - 1));
    return 0;
  }
  at::set_num_threads(plan.clips.settings.front().requests.front().compute.threads);
  const auto progress = make_progress(mode, console, /*tells_outputs=*/false);
  Comparer comparer(plan.clips, *progress, console);
  const DenseClips dense = render_dense(plan, comparer);

  write_output(plan.curves_file(), plan.clips.if_exists, dense.curves.to_json().dump() + "\n");
  const auto uniform = attention::uniform_table(dense.curves, plan.tau);
  const auto best =
      attention::best_table(dense.curves, plan.budget ? *plan.budget : uniform.density);
  write_output(plan.table_file(), plan.clips.if_exists, best.to_json().dump() + "\n");
  tell_tables(uniform, best, console);

  for (size_t prompt = 0; prompt < plan.clips.prompts.size() && !plan.skips_check; ++prompt) {
    comparer.render_sparse(prompt, kUniformSetting, dense.frames[prompt]);
    comparer.render_sparse(prompt, kTableSetting, dense.frames[prompt]);
  }
  if (!plan.skips_check) {
    write_comparison(plan.clips, comparer.result());
    const std::string text = comparer.result().table();
    console.result(text.substr(0, text.size() - 1));
  }
  console.result("use it with --head-tau " + plan.table_file().string());
  return 0;
}

}  // namespace reel::app
