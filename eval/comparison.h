// Clips of several attention settings from the same noise, next to the dense ones.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eval/clip_metrics.h"
#include "pipeline/run_report.h"

namespace reel::eval {

/// One clip of one setting.
struct ComparedClip {
  std::string prompt;
  std::string video;    ///< its file, relative to the report
  std::string preview;  ///< a copy that browsers play; empty if `video` is one
  pipeline::ClipReport report;
  std::optional<ClipMetrics> metrics;  ///< against the dense clip; none for that one

  double denoise_s() const;  ///< all steps, without what was measured on the side
};

/// A setting and its clips, one a prompt.
struct ComparedSetting {
  std::string name;
  std::vector<ComparedClip> clips;

  double mean_density() const;  ///< share of blocks, over the sparse steps; 1 if all were dense
  double mean_psnr() const;     ///< dB, over clips
  double mean_ssim() const;
  std::optional<double> mean_lpips() const;  ///< none if it was not measured; 0 for dense clips
  double mean_denoise_s() const;
};

/// What `compare` found: the first setting is the dense one.
struct Comparison {
  std::vector<ComparedSetting> settings;
  std::optional<ClipMetrics> noise_floor;  ///< the first dense clip made twice
  nlohmann::json run;     ///< {"program", "request", "model", "device", "encoder"} as in metadata
  std::string lpips_net;  ///< "alex" or "vgg"; empty: not measured

  /// {"format": 1, "settings": [{"name", "density", "psnr", "ssim", "lpips",
  /// "denoise_s", "clips": [...]}],
  /// "noise_floor"}: docs/FORMATS.md.
  nlohmann::json to_json() const;

  /// A table for people: one line a setting, means over the prompts.
  std::string table() const;
};

}  // namespace reel::eval
