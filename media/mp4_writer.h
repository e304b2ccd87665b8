// Encodes frames into an MP4 file as they come. Letters: docs/SHAPES.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "core/output_file.h"
#include "media/encoder_plan.h"
#include "media/frame_rate.h"
#include "media/frame_sink.h"

namespace reel::media {

/// Size and rate of a video.
struct VideoFormat {
  int64_t width = 0;   ///< pixel columns, W
  int64_t height = 0;  ///< pixel rows, H
  FrameRate rate;
};

/// H.264 or H.265 in an MP4 with its index in front of the pictures (so that players can start at
/// once), tagged BT.709: limited range for YUV, full range for rgb24. Every frame lasts exactly
/// 1 / rate. The file is an OutputFile: complete under its name or not there at all.
class Mp4Writer : public FrameSink {
 public:
  /// Opens the output and the encoder. Throws ConfigError if `target` cannot be written (see
  /// OutputFile) or the encoder refuses `plan`, which comes from plan_encoder for the same size.
  Mp4Writer(const std::filesystem::path& target, IfExists if_exists, const VideoFormat& format,
            const EncoderPlan& plan);
  ~Mp4Writer() override;

  void write(const at::Tensor& frames) override;

  /// Stores `text`, UTF-8, as the file's comment: the JSON that describes the run. Any time before
  /// finish(); the last call counts.
  void set_comment(const std::string& text);

  /// Also throws IoError if the file would not hold every frame that was written.
  void finish() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace reel::media
