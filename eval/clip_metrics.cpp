#include "eval/clip_metrics.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/tensor_check.h"
#include "eval/frame_metrics.h"

namespace reel::eval {
namespace {

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(std::max<size_t>(values.size(), 1));
}

}  // namespace

bool ClipMetrics::identical() const {
  return std::all_of(psnr.begin(), psnr.end(), [](double value) { return std::isinf(value); });
}

double ClipMetrics::mean_psnr() const {
  std::vector<double> finite = psnr;
  for (auto& value : finite) value = std::min(value, kEqualFrameDb);
  return mean(finite);
}

double ClipMetrics::mean_ssim() const {
  return mean(ssim);
}

std::optional<double> ClipMetrics::mean_lpips() const {
  if (lpips.empty()) return std::nullopt;
  return mean(lpips);
}

nlohmann::json ClipMetrics::to_json() const {
  nlohmann::json by_frame = nlohmann::json::array();
  for (const double value : psnr) {
    by_frame.push_back(std::isinf(value) ? nlohmann::json() : nlohmann::json(value));
  }
  nlohmann::json result = {{"frames", psnr.size()},
                           {"identical", identical()},
                           {"psnr", mean_psnr()},
                           {"ssim", mean_ssim()},
                           {"by_frame", {{"psnr", std::move(by_frame)}, {"ssim", ssim}}}};
  if (const auto distance = mean_lpips()) {
    result["lpips"] = *distance;
    result["by_frame"]["lpips"] = lpips;
  }
  return result;
}

void ClipComparison::add(const at::Tensor& reference, const at::Tensor& frames) {
  check_tensor("compare", reference, "reference",
               {{'F', kAny}, {'H', kAny}, {'W', kAny}, {'c', 3}});
  check_tensor(
      "compare", frames, "frames",
      {{'F', reference.size(0)}, {'H', reference.size(1)}, {'W', reference.size(2)}, {'c', 3}});
  for (int64_t i = 0; i < frames.size(0); ++i) {
    metrics_.psnr.push_back(psnr(reference[i], frames[i]));
    metrics_.ssim.push_back(ssim(reference[i], frames[i]));
  }
  if (lpips_ == nullptr) return;
  const auto distances = (*lpips_)(reference, frames);
  metrics_.lpips.insert(metrics_.lpips.end(), distances.begin(), distances.end());
}

}  // namespace reel::eval
