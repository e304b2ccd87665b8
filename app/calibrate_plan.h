// Everything that `calibrate` decides before it loads anything.
#pragma once

#include <filesystem>
#include <optional>

#include "app/compare_plan.h"

namespace reel::app {

// Indices into the settings of a calibration's clips.
constexpr size_t kDenseSetting = 0;    ///< its requests measure the curves
constexpr size_t kUniformSetting = 1;  ///< one tau for all heads
constexpr size_t kTableSetting = 2;    ///< reads table_file()

struct CalibratePlan {
  ComparePlan clips;
  double tau = 0;                ///< of the uniform setting
  std::optional<double> budget;  ///< of density; none: what the uniform setting takes
  bool skips_check = false;      ///< write the table, render nothing with it

  std::filesystem::path table_file() const { return clips.folder / "head_tau.json"; }
  std::filesystem::path curves_file() const { return clips.folder / "curves.json"; }
};

/// Checks flags, prompts, model folder and output together. Throws as plan_compare() does.
CalibratePlan plan_calibrate(const ParsedFlags& flags);

}  // namespace reel::app
