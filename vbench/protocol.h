// VBench's fixed facts: dimensions, samples, names of videos, normalisation and weights of scores
// (its scripts/constant.py and README; spec/cli-and-vbench.md 3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reel::vbench {

/// The two scores that the total is made of.
enum class Group { kQuality, kSemantic };

struct Dimension {
  const char* name;  ///< "subject_consistency"
  Group group;
  double min;     ///< raw score that counts as 0
  double max;     ///< raw score that counts as 1
  double weight;  ///< within its group
};

/// All 16, quality first.
const std::vector<Dimension>& dimensions();

/// Null if there is none of that name.
const Dimension* find_dimension(std::string_view name);

/// Names of all dimensions.
std::vector<std::string> dimension_names();

constexpr int64_t kSamples = 5;          ///< that the standard mode looks for, 0 to 4
constexpr int64_t kFlickerSamples = 25;  ///< of temporal_flickering, for the static filter
constexpr const char* kFlickering = "temporal_flickering";

/// "{prompt}-{index}.mp4": no truncation, no folding.
std::string video_name(std::string_view prompt, int64_t index);

/// Whether clips of that length belong to VBench (below 5.0 s) or to VBench-Long, in words.
std::string length_rule(double seconds);

}  // namespace reel::vbench
