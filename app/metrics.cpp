// `sparsereel metrics REFERENCE VIDEOS`: how far finished videos are from their references.
#include <fmt/format.h>

#include <algorithm>

#include "app/commands.h"
#include "app/lpips_flag.h"
#include "core/printable.h"
#include "eval/video_pairs.h"

namespace reel::app {
namespace {

// Empty where it was not measured.
std::string lpips_text(const std::optional<double>& lpips) {
  return lpips ? fmt::format("  {:.4f}", *lpips) : "";
}

std::string row(const std::string& name, const eval::ClipMetrics& metrics, size_t width) {
  const std::string psnr =
      metrics.identical() ? "identical" : fmt::format("{:.2f} dB", metrics.mean_psnr());
  return fmt::format("{:<{}}  {:>6}  {:>9}  {:.4f}{}", name, width, metrics.psnr.size(), psnr,
                     metrics.mean_ssim(), lpips_text(metrics.mean_lpips()));
}

}  // namespace

int run_metrics(const ParsedFlags& flags, Console& console) {
  if (flags.arguments().size() != 2) {
    fail<ConfigError>("metrics: two paths are wanted, the reference first: got ",
                      flags.arguments().size());
  }
  Problems problems;
  const auto weights = lpips_file(flags, problems);
  problems.throw_if_any<ConfigError>("metrics");
  const auto lpips = open_lpips(weights);
  const auto pairs = eval::pair_videos(flags.arguments()[0], flags.arguments()[1]);
  size_t width = 5;
  for (const auto& pair : pairs) width = std::max(width, printable(pair.name).size());
  const bool as_json = flags.has("--json");
  if (!as_json)
    console.result(fmt::format("{:<{}}  frames       PSNR    SSIM{}", "video", width,
                               lpips ? "   LPIPS" : ""));
  auto videos = nlohmann::json::array();
  double psnr = 0;
  double ssim = 0;
  double distance = 0;
  for (const auto& pair : pairs) {
    const auto metrics = eval::compare_videos(pair, lpips ? &*lpips : nullptr);
    psnr += metrics.mean_psnr() / static_cast<double>(pairs.size());
    ssim += metrics.mean_ssim() / static_cast<double>(pairs.size());
    distance += metrics.mean_lpips().value_or(0.0) / static_cast<double>(pairs.size());
    videos.push_back(metrics.to_json());
    videos.back()["name"] = pair.name;
    if (!as_json) console.result(row(printable(pair.name), metrics, width));
  }
  if (as_json) {
    nlohmann::json result = {
        {"format", 1}, {"psnr", psnr}, {"ssim", ssim}, {"videos", std::move(videos)}};
    if (lpips) result["lpips"] = distance;
    console.result(result.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } else if (pairs.size() > 1) {
    console.result(fmt::format("{:<{}}  {:>6}  {:>6.2f} dB  {:.4f}{}", "mean", width, "", psnr,
                               ssim, lpips ? lpips_text(distance) : ""));
  }
  return 0;
}

}  // namespace reel::app
