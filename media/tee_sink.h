// One stream of frames into several sinks.
#pragma once

#include <vector>

#include "media/frame_sink.h"

namespace reel::media {

/// Passes everything on to each of its sinks, in their order.
class TeeSink : public FrameSink {
 public:
  /// `sinks` are not owned and must outlive this.
  explicit TeeSink(std::vector<FrameSink*> sinks);

  void write(const at::Tensor& frames) override;
  void finish() override;

 private:
  std::vector<FrameSink*> sinks_;
};

}  // namespace reel::media
