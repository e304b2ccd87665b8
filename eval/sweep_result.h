// What a sweep over sparse settings found, as a table, JSON, CSV and a plot.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace reel::eval {

/// One setting; figures are means over its clips.
struct SweepPoint {
  std::string name;
  double density = 1;            ///< share of blocks, over the sparse calls
  std::optional<double> recall;  ///< of the true attention, if it was measured
  double psnr = 0;               ///< dB against the dense clips
  double ssim = 0;
  std::optional<double> lpips;  ///< if it was measured
  double denoise_s = 0;
  double speed = 1;  ///< denoising time of the dense clips / of these
  size_t num_clips = 0;
};

/// True for each point that no other beats: none has at least its PSNR at most at its cost with one
/// of the two better. `costs` are what should be small, one a point.
std::vector<bool> pareto_front(const std::vector<SweepPoint>& points,
                               const std::vector<double>& costs);

/// All settings of a sweep, and the dense clips that they are compared with.
struct SweepResult {
  std::vector<SweepPoint> points;
  double dense_s = 0;  ///< mean denoising time of a dense clip

  /// Of PSNR against density, and against denoising time.
  std::vector<bool> density_front() const;
  std::vector<bool> speed_front() const;

  /// {"format":1,"dense_s","settings":[{name, density, recall, psnr, ssim, lpips, denoise_s, speed,
  /// clips, density_front, speed_front}]}.
  nlohmann::json to_json() const;

  /// The same settings, a line each, with a header.
  std::string csv() const;

  /// For people; d and s mark the fronts.
  std::string table() const;

  /// PSNR against density, and against speed, side by side; the fronts are joined by lines.
  std::string svg() const;
};

}  // namespace reel::eval
