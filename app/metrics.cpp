// `sparsereel metrics REFERENCE VIDEOS`: how far finished videos are from their references.
#include <fmt/format.h>

#include <algorithm>

#include "app/commands.h"
#include "core/printable.h"
#include "eval/video_pairs.h"

namespace reel::app {
namespace {

std::string row(const std::string& name, const eval::ClipMetrics& metrics, size_t width) {
  const std::string psnr =
      metrics.identical() ? "identical" : fmt::format("{:.2f} dB", metrics.mean_psnr());
  return fmt::format("{:<{}}  {:>6}  {:>9}  {:.4f}", name, width, metrics.psnr.size(), psnr,
                     metrics.mean_ssim());
}

}  // namespace

int run_metrics(const ParsedFlags& flags, Console& console) {
  if (flags.arguments().size() != 2) {
    fail<ConfigError>("metrics: two paths are wanted, the reference first: got ",
                      flags.arguments().size());
  }
  const auto pairs = eval::pair_videos(flags.arguments()[0], flags.arguments()[1]);
  size_t width = 5;
  for (const auto& pair : pairs) width = std::max(width, printable(pair.name).size());
  const bool as_json = flags.has("--json");
  if (!as_json) console.result(fmt::format("{:<{}}  frames       PSNR    SSIM", "video", width));
  auto videos = nlohmann::json::array();
  double psnr = 0;
  double ssim = 0;
  for (const auto& pair : pairs) {
    const auto metrics = eval::compare_videos(pair);
    psnr += metrics.mean_psnr() / static_cast<double>(pairs.size());
    ssim += metrics.mean_ssim() / static_cast<double>(pairs.size());
    videos.push_back(metrics.to_json());
    videos.back()["name"] = pair.name;
    if (!as_json) console.result(row(printable(pair.name), metrics, width));
  }
  if (as_json) {
    const nlohmann::json result = {
        {"format", 1}, {"psnr", psnr}, {"ssim", ssim}, {"videos", std::move(videos)}};
    console.result(result.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } else if (pairs.size() > 1) {
    console.result(
        fmt::format("{:<{}}  {:>6}  {:>6.2f} dB  {:.4f}", "mean", width, "", psnr, ssim));
  }
  return 0;
}

}  // namespace reel::app
