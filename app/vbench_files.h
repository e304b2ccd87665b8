// Flags and files that the vbench commands share.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/parsed_flags.h"
#include "vbench/video_set.h"

namespace reel::app {

/// --info, else that of an installed package. Throws ConfigError if there is neither.
std::filesystem::path info_file(const ParsedFlags& flags);

/// The words of a list separated by commas.
std::vector<std::string> split_list(const std::string& text);

/// A folder of videos and what should be in it.
struct VideoSet {
  std::filesystem::path folder;  ///< of the videos themselves
  std::vector<vbench::WantedVideo> wanted;
};

/// The set of the folder that is the first argument: vbench.json in it says what is wanted, else
/// --info with all its prompts. Throws ConfigError.
VideoSet find_video_set(const ParsedFlags& flags);

}  // namespace reel::app
