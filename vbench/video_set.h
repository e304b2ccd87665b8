// Looks at a folder of videos before VBench does: what is missing, broken or in the way.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/problems.h"

namespace reel::vbench {

/// A video that the set needs.
struct WantedVideo {
  std::string name;
  std::vector<std::string> dimensions;
  int64_t frames = 0;      ///< 0: any, but all alike
  std::string frame_rate;  ///< empty: any, but all alike
};

/// vbench.json, which `vbench run` leaves in its folder: {"format":1, "videos":[{...}]}.
nlohmann::json to_json(const std::vector<WantedVideo>& videos);
std::vector<WantedVideo> read_wanted(const std::filesystem::path& file);

/// A video that is there and not as it should be, or a thing that should not be there.
struct Finding {
  std::string name;
  std::string what;
  bool harmful = false;  ///< a stray that may keep VBench from finding any video
};

struct DimensionCount {
  size_t wanted = 0;
  size_t good = 0;
};

/// What check_videos() found.
struct SetCheck {
  std::map<std::string, DimensionCount> by_dimension;
  size_t num_wanted = 0;
  size_t num_good = 0;
  std::vector<std::string> missing;
  std::vector<Finding> broken;  ///< cannot be read to the end of their index
  std::vector<Finding> wrong;   ///< another length or rate than wanted, or than the others
  std::vector<Finding> stray;   ///< would break VBench's matching, or be scored by nobody
  double shortest_s = 0;        ///< of the good videos; 0 if there is none
  double longest_s = 0;

  bool complete() const { return num_good == num_wanted && stray.empty(); }
  nlohmann::json to_json() const;
};

/// Looks at every file of `folder` and at every wanted video. Throws ConfigError if `folder` is not
/// a folder.
SetCheck check_videos(const std::filesystem::path& folder, const std::vector<WantedVideo>& wanted);

/// The check for people; at most `most_names` names of each kind.
std::string check_text(const SetCheck& check, size_t most_names);

}  // namespace reel::vbench
