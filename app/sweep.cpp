// `sparsereel sweep`: prompts dense and in every setting of a grid, rendered as a batch, and how
// quality, density and speed go together.
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "app/batch.h"
#include "app/commands.h"
#include "app/lpips_flag.h"
#include "app/sweep_plan.h"
#include "core/output_file.h"
#include "eval/clip_metrics.h"
#include "eval/sweep_result.h"
#include "eval/video_pairs.h"

namespace reel::app {
namespace {

using nlohmann::json;

double denoise_s(const json& metadata) {
  double sum_ms = 0;
  for (const double ms : metadata.at("timing_ms").at("steps")) sum_ms += ms;
  return sum_ms / 1000;
}

// Adds up the clips of one setting.
struct PointSums {
  eval::SweepPoint point;
  double recall = 0;
  size_t num_recalls = 0;

  void add(const json& metadata, const eval::ClipMetrics& metrics) {
    if (point.num_clips++ == 0) point.density = 0;
    point.density += metadata.at("density").at("mean_sparse").get<double>();
    point.psnr += metrics.mean_psnr();
    point.ssim += metrics.mean_ssim();
    if (const auto distance = metrics.mean_lpips())
      point.lpips = point.lpips.value_or(0) + *distance;
    point.denoise_s += denoise_s(metadata);
    const json mean = metadata.value("/recall/mean"_json_pointer, json());
    if (mean.is_number()) recall += mean.get<double>();
    num_recalls += mean.is_number() ? 1 : 0;
  }

  eval::SweepPoint mean(double dense_s) const {
    eval::SweepPoint result = point;
    const auto count = static_cast<double>(point.num_clips);
    result.density /= count;
    result.psnr /= count;
    result.ssim /= count;
    if (result.lpips) *result.lpips /= count;
    result.denoise_s /= count;
    result.speed = dense_s / result.denoise_s;
    if (num_recalls == point.num_clips) result.recall = recall / count;
    return result;
  }
};

eval::SweepResult collect(const SweepPlan& plan) {
  const auto lpips = open_lpips(plan.lpips_file);
  const auto& folder = plan.batch.folder;
  std::map<std::string, const batch::Job*> dense;  // by line and seed
  const auto clip_of = [](const batch::Job& job) {
    return job.tags.at("sweep").at("line").get<std::string>() + " " +
           std::to_string(job.request.seeds.front());
  };
  eval::SweepResult result;
  for (const auto& job : plan.batch.jobs) {
    if (job.tags.at("sweep").at("setting") != "dense") continue;
    dense[clip_of(job)] = &job;
    result.dense_s += denoise_s(batch::video_metadata(folder.video(job)));
  }
  result.dense_s /= static_cast<double>(dense.size());
  for (const auto& cell : plan.cells) {
    PointSums sums;
    sums.point.name = cell.name();
    for (const auto& job : plan.batch.jobs) {
      if (job.tags.at("sweep").at("setting") != cell.name()) continue;
      const auto metrics = eval::compare_videos(
          {job.video, folder.video(*dense.at(clip_of(job))), folder.video(job)},
          lpips ? &*lpips : nullptr);
      sums.add(batch::video_metadata(folder.video(job)), metrics);
    }
    result.points.push_back(sums.mean(result.dense_s));
  }
  return result;
}

bool all_done(const BatchPlan& plan) {
  return std::ranges::all_of(plan.jobs, [&](const auto& job) {
    return plan.folder.state(job) == batch::VideoState::kDone;
  });
}

}  // namespace

int run_sweep(const ParsedFlags& flags, Console& console) {
  const SweepPlan plan = plan_sweep(flags);
  if (show_plan(plan.batch, flags, console)) return 0;
  const int exit_code = render_batch(plan.batch, flags, console, /*tells_outputs=*/false);
  if (exit_code != 0) return exit_code;
  if (!all_done(plan.batch)) {
    console.info("other shards are not done: run the whole sweep again for its table");
    return 0;
  }
  const auto result = collect(plan);
  const auto& root = plan.batch.folder.root();
  write_output(root / "sweep.json", IfExists::kReplace, result.to_json().dump(1) + "\n");
  write_output(root / "sweep.csv", IfExists::kReplace, result.csv());
  write_output(root / "sweep.svg", IfExists::kReplace, result.svg());
  const std::string text = result.table();
  console.result(text.substr(0, text.size() - 1));
  return 0;
}

}  // namespace reel::app
