// Opens a file for FFmpeg's demuxers.
#pragma once

#include <filesystem>

#include "media/ffmpeg.h"

namespace reel::media {

/// A video file and its first video stream.
struct InputFile {
  InputContext context;
  AVStream* stream;  ///< the context's
};

/// Opens `file` as a local file whatever its name looks like, and only as a container that cannot
/// refer to other files. Throws ConfigError if it cannot be opened or has no video stream.
InputFile open_input(const std::filesystem::path& file);

}  // namespace reel::media
