// What a video file says about itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "media/frame_rate.h"

namespace reel::media {

/// Container and stream facts, in FFmpeg's names ("h264", "yuv420p", "bt709", "tv", "left").
struct VideoFacts {
  std::string codec;
  std::string pix_fmt;
  int width = 0;
  int height = 0;
  FrameRate frame_rate;
  int64_t num_frames = 0;
  double duration_s = 0;
  std::string colour_primaries;
  std::string colour_transfer;
  std::string colour_matrix;
  std::string colour_range;
  std::string chroma_location;
  std::string comment;          ///< the metadata JSON of our own files; empty if there is none
  bool index_in_front = false;  ///< MP4 "fast start": moov before mdat
};

/// Reads the facts without decoding more than a few frames. Throws ConfigError if `file` is not a
/// video.
VideoFacts read_video_facts(const std::filesystem::path& file);

/// One box of an MP4 file.
struct Mp4Box {
  std::string type;  ///< four characters
  int64_t offset_bytes = 0;
  int64_t size_bytes = 0;
};

/// The top level of an MP4 file; empty for other files. Throws ConfigError if `file` cannot be read
/// or ends within a box.
std::vector<Mp4Box> mp4_boxes(const std::filesystem::path& file);

}  // namespace reel::media
