// The files that take the frames of one clip: the MP4 and, if wanted, pictures.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "app/output_plan.h"
#include "media/encoder_plan.h"
#include "media/mp4_writer.h"
#include "media/png_sequence_writer.h"
#include "media/tee_sink.h"

namespace reel::app {

/// Complete under their names after finish(), not there at all before. The video is the last to get
/// its name.
class VideoFiles {
 public:
  /// Opens what `paths` names. Throws what Mp4Writer and PngSequenceWriter throw.
  VideoFiles(const ClipPaths& paths, IfExists if_exists, const media::VideoFormat& format,
             const media::EncoderPlan& encoder);

  /// Takes the frames; its finish() is not the caller's.
  media::FrameSink& sink() { return *sinks_; }

  /// Puts `metadata` into the video and gives the files their names. Throws IoError.
  void finish(const nlohmann::json& metadata);

 private:
  std::unique_ptr<media::PngSequenceWriter> png_;
  std::unique_ptr<media::Mp4Writer> video_;
  std::unique_ptr<media::TeeSink> sinks_;
};

}  // namespace reel::app
