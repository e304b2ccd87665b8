#include "media/tee_sink.h"

#include <utility>

namespace reel::media {

TeeSink::TeeSink(std::vector<FrameSink*> sinks) : sinks_(std::move(sinks)) {}

void TeeSink::write(const at::Tensor& frames) {
  for (FrameSink* sink : sinks_) sink->write(frames);
}

void TeeSink::finish() {
  for (FrameSink* sink : sinks_) sink->finish();
}

}  // namespace reel::media
