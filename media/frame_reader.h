// Decodes videos and pictures into RGB frames. Letters: docs/SHAPES.md.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <optional>

namespace reel::media {

/// Reads the first video stream of a file: MP4 and the like, or a PNG as a video of one frame.
class FrameReader {
 public:
  /// Throws ConfigError if `file` cannot be opened or holds no video that FFmpeg can decode.
  explicit FrameReader(const std::filesystem::path& file);
  ~FrameReader();
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  /// The next frame, [H, W, 3] uint8 RGB on the CPU, or none after the last. YUV is converted as
  /// the stream's tags say. Throws IoError if the stream is damaged.
  std::optional<at::Tensor> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// All frames of `file`: [F, H, W, 3] uint8. Throws as FrameReader does.
at::Tensor read_frames(const std::filesystem::path& file);

}  // namespace reel::media
