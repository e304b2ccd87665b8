// What the encoder flags ask for, and what the encoder will do about it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/problems.h"

namespace reel::media {

/// The flags --codec, --crf, --preset, --pix-fmt and --lossless as given; absent ones are empty.
struct EncoderOptions {
  std::optional<std::string> codec = {};   ///< h264 (default) or h265
  std::optional<double> crf = {};          ///< 0 (best) to 51; default 17, 0 if lossless
  std::optional<std::string> preset = {};  ///< x264's names, ultrafast to placebo; default slow
  std::optional<std::string> pix_fmt =
      {};  ///< yuv420p (default), rgb24, yuv444p (default if lossless)
  bool lossless = false;
};

/// A complete and consistent choice, printable and kept in a video's metadata.
struct EncoderPlan {
  std::string codec;    ///< h264 or h265
  std::string encoder;  ///< FFmpeg's name: libx264, libx264rgb or libx265
  std::string preset;
  std::string pix_fmt;
  double crf = 0;
  bool lossless = false;
};

/// Names that --preset accepts, fastest first.
const std::vector<std::string>& preset_names();

/// FFmpeg's names of the encoders that a plan may want, and whether this FFmpeg has them.
std::vector<std::pair<std::string, bool>> video_encoders();

/// Fills in the defaults and checks everything against a video of `width` x `height` pixels and the
/// encoders that this FFmpeg has. Throws ConfigError with all problems, each naming its flag.
EncoderPlan plan_encoder(const EncoderOptions& options, int64_t width, int64_t height);

/// The same; adds the problems to `problems` instead.
EncoderPlan plan_encoder(const EncoderOptions& options, int64_t width, int64_t height,
                         Problems& problems);

}  // namespace reel::media
