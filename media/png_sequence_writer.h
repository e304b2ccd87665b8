// Frames as numbered PNG files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/output_folder.h"
#include "media/frame_sink.h"

namespace reel::media {

/// FOLDER/000000.png, 000001.png, ...: all of them appear at finish(), or none.
class PngSequenceWriter : public FrameSink {
 public:
  /// Throws ConfigError as OutputFolder does.
  PngSequenceWriter(const std::filesystem::path& folder, IfExists if_exists);

  void write(const at::Tensor& frames) override;

  /// Also removes the frames of a longer sequence that this one replaces.
  void finish() override;

 private:
  OutputFolder folder_;
  int64_t num_frames_ = 0;
};

/// The name of frame number `index`: "000042.png".
std::string frame_file_name(int64_t index);

}  // namespace reel::media
