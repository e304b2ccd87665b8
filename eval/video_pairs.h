// Finished videos that belong together, and how far they are apart.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "eval/clip_metrics.h"

namespace reel::eval {

struct VideoPair {
  std::string name;  ///< of the video, in both folders
  std::filesystem::path reference;
  std::filesystem::path video;
};

/// Two files, or the videos (.mp4) of two folders paired by name. Throws ConfigError, with all
/// problems, if a path does not exist, a file meets a folder, a folder holds no video, or a name is
/// in one folder alone.
std::vector<VideoPair> pair_videos(const std::filesystem::path& reference,
                                   const std::filesystem::path& videos);

/// Reads both and compares them frame by frame, by LPIPS too unless it is null; holds one frame of
/// each. Throws ConfigError naming the pair if size, rate or number of frames differ or either is
/// no video.
ClipMetrics compare_videos(const VideoPair& pair, const Lpips* lpips = nullptr);

}  // namespace reel::eval
