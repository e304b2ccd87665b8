// How far one clip is from another, frame by frame. Letters: docs/SHAPES.md.
#pragma once

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace reel::eval {

/// A frame without any difference counts as this many dB in a mean.
constexpr double kEqualFrameDb = 100.0;

/// Figures of one pair of clips, or of several: means go over frames, then over clips.
struct ClipMetrics {
  std::vector<double> psnr;  ///< of each frame, dB; infinite where frames are equal
  std::vector<double> ssim;  ///< of each frame

  bool identical() const;
  double mean_psnr() const;  ///< equal frames count as kEqualFrameDb
  double mean_ssim() const;

  /// {"frames", "identical", "psnr", "ssim", "by_frame": {"psnr", "ssim"}}; equal frames are null.
  nlohmann::json to_json() const;
};

/// Compares clips as their frames come.
class ClipComparison {
 public:
  /// The next frames of both: [F, H, W, 3] uint8 on the CPU. Throws ShapeError if they differ in
  /// size.
  void add(const at::Tensor& reference, const at::Tensor& frames);

  const ClipMetrics& metrics() const { return metrics_; }

 private:
  ClipMetrics metrics_;
};

}  // namespace reel::eval
