// How far one clip is from another, frame by frame. Letters: docs/SHAPES.md.
#pragma once

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "eval/lpips.h"

namespace reel::eval {

/// A frame without any difference counts as this many dB in a mean.
constexpr double kEqualFrameDb = 100.0;

/// Figures of one pair of clips, or of several: means go over frames, then over clips.
struct ClipMetrics {
  std::vector<double> psnr;   ///< of each frame, dB; infinite where frames are equal
  std::vector<double> ssim;   ///< of each frame
  std::vector<double> lpips;  ///< of each frame; empty if it was not measured

  bool identical() const;
  double mean_psnr() const;  ///< equal frames count as kEqualFrameDb
  double mean_ssim() const;
  std::optional<double> mean_lpips() const;

  /// {"frames", "identical", "psnr", "ssim", "lpips", "by_frame": {"psnr", "ssim", "lpips"}}; the
  /// PSNR of equal frames is null, "lpips" is not there if it was not measured.
  nlohmann::json to_json() const;
};

/// Compares clips as their frames come.
class ClipComparison {
 public:
  /// `lpips` measures that too unless it is null; it must outlive this.
  explicit ClipComparison(const Lpips* lpips = nullptr) : lpips_(lpips) {}

  /// The next frames of both: [F, H, W, 3] uint8 on the CPU. Throws ShapeError if they differ in
  /// size.
  void add(const at::Tensor& reference, const at::Tensor& frames);

  const ClipMetrics& metrics() const { return metrics_; }

 private:
  const Lpips* lpips_;
  ClipMetrics metrics_;
};

}  // namespace reel::eval
