#include "vbench/protocol.h"

#include <fmt/format.h>

#include <algorithm>

namespace reel::vbench {
namespace {

constexpr double kLongSeconds = 5.0;

}  // namespace

const std::vector<Dimension>& dimensions() {
  using enum Group;
  static const std::vector<Dimension> kAll = {
      {"subject_consistency", kQuality, 0.1462, 1, 1},
      {"background_consistency", kQuality, 0.2615, 1, 1},
      {"temporal_flickering", kQuality, 0.6293, 1, 1},
      {"motion_smoothness", kQuality, 0.706, 0.9975, 1},
      {"dynamic_degree", kQuality, 0, 1, 0.5},
      {"aesthetic_quality", kQuality, 0, 1, 1},
      {"imaging_quality", kQuality, 0, 1, 1},
      {"object_class", kSemantic, 0, 1, 1},
      {"multiple_objects", kSemantic, 0, 1, 1},
      {"human_action", kSemantic, 0, 1, 1},
      {"color", kSemantic, 0, 1, 1},
      {"spatial_relationship", kSemantic, 0, 1, 1},
      {"scene", kSemantic, 0, 0.8222, 1},
      {"appearance_style", kSemantic, 0.0009, 0.2855, 1},
      {"temporal_style", kSemantic, 0, 0.364, 1},
      {"overall_consistency", kSemantic, 0, 0.364, 1},
  };
  return kAll;
}

const Dimension* find_dimension(std::string_view name) {
  const auto& all = dimensions();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Dimension& one) { return name == one.name; });
  return found == all.end() ? nullptr : &*found;
}

std::vector<std::string> dimension_names() {
  std::vector<std::string> names;
  for (const auto& dimension : dimensions()) names.emplace_back(dimension.name);
  return names;
}

std::string video_name(std::string_view prompt, int64_t index) {
  return fmt::format("{}-{}.mp4", prompt, index);
}

std::string length_rule(double seconds) {
  if (seconds < kLongSeconds) {
    return fmt::format("{:.3f} s is below 5.0 s: VBench's standard mode", seconds);
  }
  return fmt::format(
      "{:.3f} s is 5.0 s or more: by VBench's rule these clips belong to VBench-Long; scores of "
      "its standard mode are not comparable with either",
      seconds);
}

}  // namespace reel::vbench
