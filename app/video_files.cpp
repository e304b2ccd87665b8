#include "app/video_files.h"

#include <nlohmann/json.hpp>
#include <vector>

namespace reel::app {

VideoFiles::VideoFiles(const ClipPaths& paths, IfExists if_exists, const media::VideoFormat& format,
                       const media::EncoderPlan& encoder) {
  video_ = std::make_unique<media::Mp4Writer>(paths.video, if_exists, format, encoder);
  std::vector<media::FrameSink*> sinks;
  if (paths.frames_png) {
    png_ = std::make_unique<media::PngSequenceWriter>(*paths.frames_png, if_exists);
    sinks.push_back(png_.get());
  }
  sinks.push_back(video_.get());
  sinks_ = std::make_unique<media::TeeSink>(std::move(sinks));
}

void VideoFiles::finish(const nlohmann::json& metadata) {
  video_->set_comment(metadata.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  sinks_->finish();
}

}  // namespace reel::app
