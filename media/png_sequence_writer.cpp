#include "media/png_sequence_writer.h"

#include "core/error.h"
#include "core/tensor_check.h"
#include "media/png_codec.h"

namespace reel::media {

std::string frame_file_name(int64_t index) {
  const std::string digits = std::to_string(index);
  const size_t num_zeros = digits.size() < 6 ? 6 - digits.size() : 0;
  return std::string(num_zeros, '0') + digits + ".png";
}

PngSequenceWriter::PngSequenceWriter(const std::filesystem::path& folder, IfExists if_exists)
    : folder_(folder, if_exists) {}

void PngSequenceWriter::write(const at::Tensor& frames) {
  check_tensor("PngSequenceWriter::write", frames, "frames",
               {{'F', kAny}, {'H', kAny}, {'W', kAny}, {'3', 3}}, at::kByte);
  for (int64_t i = 0; i < frames.size(0); ++i) {
    folder_.write(frame_file_name(num_frames_++), encode_png(frames[i]));
  }
}

void PngSequenceWriter::finish() {
  if (num_frames_ == 0) {
    fail<OutputError>(folder_.target().string(), ": no frames to write");
  }
  folder_.commit();
  std::error_code ignored;
  for (int64_t i = num_frames_;
       std::filesystem::remove(folder_.target() / frame_file_name(i), ignored); ++i) {
  }
}

}  // namespace reel::media
