#include "media/ffmpeg.h"

#include <array>

namespace reel::media {

std::string error_text(int code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return text.data();
}

int check(int code, const std::string& where, const std::string& doing) {
  if (code < 0) fail<IoError>(where, ": ", doing, " failed: ", error_text(code));
  return code;
}

void silence_log() {
  av_log_set_level(AV_LOG_QUIET);
}

void limit_allocations() {
  av_max_alloc(size_t{512} << 20);
}

Frame make_frame(int width, int height, AVPixelFormat format, const std::string& where) {
  Frame frame = allocated(Frame(av_frame_alloc()), where);
  frame->width = width;
  frame->height = height;
  frame->format = format;
  if (av_frame_get_buffer(frame.get(), 0) < 0) {
    fail<OutOfMemory>(where, ": no memory for a frame of ", width, " x ", height, " pixels");
  }
  return frame;
}

}  // namespace reel::media
