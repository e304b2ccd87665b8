#include "media/input_file.h"

namespace reel::media {
namespace {

// Playlists and the like are not among these: they make a reader open further files.
constexpr const char* kContainers = "mov,mp4,matroska,webm,avi,png_pipe";

}  // namespace

InputFile open_input(const std::filesystem::path& file) {
  silence_log();
  limit_allocations();
  const std::string where = file.string();
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  av_dict_set(&options, "format_whitelist", kContainers, 0);
  AVFormatContext* context = nullptr;
  const int opened = avformat_open_input(&context, ("file:" + where).c_str(), nullptr, &options);
  const Dictionary unused(options);
  InputContext input(context);
  if (opened < 0) fail<ConfigError>(where, ": cannot be read as a video: ", error_text(opened));
  const int found = avformat_find_stream_info(input.get(), nullptr);
  if (found < 0) fail<ConfigError>(where, ": cannot be read as a video: ", error_text(found));
  const int index =
      av_find_best_stream(input.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, /*flags=*/0);
  if (index < 0) fail<ConfigError>(where, ": cannot be read as a video: no video stream");
  AVStream* stream = input->streams[index];
  return {std::move(input), stream};
}

}  // namespace reel::media
