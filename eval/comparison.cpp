#include "eval/comparison.h"

#include <fmt/format.h>

#include <algorithm>

namespace reel::eval {
namespace {

// Mean of `value` over the clips.
template <typename Value>
double mean_over(const std::vector<ComparedClip>& clips, const Value& value) {
  double sum = 0;
  for (const auto& clip : clips) sum += value(clip);
  return sum / static_cast<double>(std::max<size_t>(clips.size(), 1));
}

double sparse_density(const pipeline::ClipReport& report) {
  double sum = 0;
  int64_t count = 0;
  for (const auto& step : report.steps) {
    if (step.dense) continue;
    sum += step.density;
    ++count;
  }
  return count == 0 ? 1.0 : sum / static_cast<double>(count);
}

std::string quality(const ComparedSetting& setting, bool with_lpips) {
  const bool identical = std::all_of(
      setting.clips.begin(), setting.clips.end(),
      [](const ComparedClip& clip) { return !clip.metrics || clip.metrics->identical(); });
  const auto psnr =
      identical ? std::string("identical") : fmt::format("{:.2f} dB", setting.mean_psnr());
  const auto text = fmt::format("{:>10}  {:.4f}", psnr, setting.mean_ssim());
  return with_lpips ? text + fmt::format("  {:.4f}", setting.mean_lpips().value_or(0.0)) : text;
}

nlohmann::json clip_json(const ComparedClip& clip) {
  nlohmann::json steps = nlohmann::json::array();
  for (const auto& step : clip.report.steps) {
    steps.push_back({{"ms", step.elapsed_ms}, {"dense", step.dense}, {"density", step.density}});
  }
  nlohmann::json stages = nlohmann::json::array();
  for (const auto& [name, elapsed_ms] : clip.report.stages_ms) {
    stages.push_back({{"name", name}, {"ms", elapsed_ms}});
  }
  return {{"prompt", clip.prompt},
          {"video", clip.video},
          {"preview", clip.preview.empty() ? nlohmann::json() : nlohmann::json(clip.preview)},
          {"seed", clip.report.seed},
          {"denoise_s", clip.denoise_s()},
          {"total_s", clip.report.total_ms / 1e3},
          {"density", sparse_density(clip.report)},
          {"steps", std::move(steps)},
          {"stages", std::move(stages)},
          {"attention_times", clip.report.attention_times},
          {"noise_sha256", clip.report.noise_sha256},
          {"latents_sha256", clip.report.latents_sha256},
          {"metrics", clip.metrics ? clip.metrics->to_json() : nlohmann::json()}};
}

}  // namespace

double ComparedClip::denoise_s() const {
  double elapsed_ms = 0;
  for (const auto& step : report.steps) elapsed_ms += step.elapsed_ms;
  return elapsed_ms / 1e3;
}

double ComparedSetting::mean_density() const {
  return mean_over(clips, [](const auto& clip) { return sparse_density(clip.report); });
}

double ComparedSetting::mean_psnr() const {
  return mean_over(clips, [](const auto& clip) {
    return clip.metrics ? clip.metrics->mean_psnr() : kEqualFrameDb;
  });
}

double ComparedSetting::mean_ssim() const {
  return mean_over(clips,
                   [](const auto& clip) { return clip.metrics ? clip.metrics->mean_ssim() : 1.0; });
}

std::optional<double> ComparedSetting::mean_lpips() const {
  const bool measured = std::ranges::all_of(
      clips, [](const auto& clip) { return !clip.metrics || clip.metrics->mean_lpips(); });
  if (!measured) return std::nullopt;
  return mean_over(
      clips, [](const auto& clip) { return clip.metrics ? *clip.metrics->mean_lpips() : 0.0; });
}

double ComparedSetting::mean_denoise_s() const {
  return mean_over(clips, [](const auto& clip) { return clip.denoise_s(); });
}

nlohmann::json Comparison::to_json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& setting : settings) {
    nlohmann::json clips = nlohmann::json::array();
    for (const auto& clip : setting.clips) clips.push_back(clip_json(clip));
    list.push_back({{"name", setting.name},
                    {"attention",
                     setting.clips.empty() ? nlohmann::json() : setting.clips[0].report.attention},
                    {"density", setting.mean_density()},
                    {"psnr", setting.mean_psnr()},
                    {"ssim", setting.mean_ssim()},
                    {"denoise_s", setting.mean_denoise_s()},
                    {"clips", std::move(clips)}});
    if (!lpips_net.empty()) list.back()["lpips"] = setting.mean_lpips().value_or(0.0);
  }
  nlohmann::json result = {
      {"format", 1},
      {"run", run},
      {"settings", std::move(list)},
      {"noise_floor", noise_floor ? noise_floor->to_json() : nlohmann::json()}};
  if (!lpips_net.empty()) result["lpips_net"] = lpips_net;
  return result;
}

std::string Comparison::table() const {
  size_t width = 7;
  for (const auto& setting : settings) width = std::max(width, setting.name.size());
  const bool with_lpips = !lpips_net.empty();
  std::string text =
      fmt::format("{:<{}}  density        PSNR    SSIM{}   denoising  against dense\n", "setting",
                  width, with_lpips ? "   LPIPS" : "");
  const double dense_s = settings.front().mean_denoise_s();
  for (const auto& setting : settings) {
    const double seconds = setting.mean_denoise_s();
    text += fmt::format("{:<{}}  {:>7.3f}  {}  {:>8.2f} s  {:>13.3f}\n", setting.name, width,
                        setting.mean_density(), quality(setting, with_lpips), seconds,
                        seconds / dense_s);
  }
  if (noise_floor) {
    text +=
        noise_floor->identical()
            ? "The first dense clip, made twice, is the same to the last bit of every pixel.\n"
            : fmt::format("Noise floor: the first dense clip, made twice, differs by {:.2f} dB.\n",
                          noise_floor->mean_psnr());
  }
  return text;
}

}  // namespace reel::eval
