#include "media/ffmpeg_version.h"

#include "media/ffmpeg.h"

namespace reel::media {

std::string ffmpeg_version() {
  const unsigned version = avcodec_version();
  return std::string(av_version_info()) + " (libavcodec " +
         std::to_string(AV_VERSION_MAJOR(version)) + "." +
         std::to_string(AV_VERSION_MINOR(version)) + "." +
         std::to_string(AV_VERSION_MICRO(version)) + ")";
}

}  // namespace reel::media
