// Which FFmpeg runs.
#pragma once

#include <string>

namespace reel::media {

/// The release and the version of libavcodec that this process uses: "5.1.9
/// (libavcodec 59.37.100)".
std::string ffmpeg_version();

}  // namespace reel::media
