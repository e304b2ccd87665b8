#include "media/video_facts.h"

#include <algorithm>
#include <array>
#include <fstream>

#include "media/input_file.h"

namespace reel::media {
namespace {

std::string text_or_unknown(const char* text) {
  return text == nullptr ? "unknown" : text;
}

// `limit` is behind the last value that FFmpeg knows.
template <typename Enum>
std::string name_in(const Enum& field, Enum limit, const char* (*name)(Enum)) {
  const int number = number_in(field);
  if (number < 0 || number >= static_cast<int>(limit)) return "unknown";
  return text_or_unknown(name(static_cast<Enum>(number)));
}

int64_t big_endian(const unsigned char* bytes, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) value = (value << 8) | bytes[i];
  return static_cast<int64_t>(value);
}

int64_t count_packets(const InputFile& input, const std::string& where) {
  const Packet packet = allocated(Packet(av_packet_alloc()), where);
  int64_t count = 0;
  for (;;) {
    const int code = av_read_frame(input.context.get(), packet.get());
    if (code == AVERROR_EOF) return count;
    check(code, where, "reading");
    if (packet->stream_index == input.stream->index) ++count;
    av_packet_unref(packet.get());
  }
}

double duration_of(const InputFile& input) {
  if (input.stream->duration != AV_NOPTS_VALUE) {
    return static_cast<double>(input.stream->duration) * av_q2d(input.stream->time_base);
  }
  if (input.context->duration == AV_NOPTS_VALUE) return 0;
  return static_cast<double>(input.context->duration) / AV_TIME_BASE;
}

bool index_before_pictures(const std::filesystem::path& file) {
  for (const auto& box : mp4_boxes(file)) {
    if (box.type == "moov") return true;
    if (box.type == "mdat") return false;
  }
  return false;
}

}  // namespace

VideoFacts read_video_facts(const std::filesystem::path& file) {
  const InputFile input = open_input(file);
  const AVCodecParameters& stream = *input.stream->codecpar;
  VideoFacts facts;
  facts.codec = avcodec_get_name(stream.codec_id);
  facts.pix_fmt = text_or_unknown(av_get_pix_fmt_name(static_cast<AVPixelFormat>(stream.format)));
  facts.width = stream.width;
  facts.height = stream.height;
  facts.frame_rate = {input.stream->avg_frame_rate.num, input.stream->avg_frame_rate.den};
  facts.colour_primaries = name_in(stream.color_primaries, AVCOL_PRI_NB, av_color_primaries_name);
  facts.colour_transfer = name_in(stream.color_trc, AVCOL_TRC_NB, av_color_transfer_name);
  facts.colour_matrix = name_in(stream.color_space, AVCOL_SPC_NB, av_color_space_name);
  facts.colour_range = name_in(stream.color_range, AVCOL_RANGE_NB, av_color_range_name);
  facts.chroma_location = name_in(stream.chroma_location, AVCHROMA_LOC_NB, av_chroma_location_name);
  const AVDictionaryEntry* comment =
      av_dict_get(input.context->metadata, "comment", nullptr, /*flags=*/0);
  if (comment != nullptr) facts.comment = comment->value;
  facts.duration_s = duration_of(input);
  facts.num_frames = input.stream->nb_frames;
  if (facts.num_frames == 0) facts.num_frames = count_packets(input, file.string());
  facts.index_in_front = index_before_pictures(file);
  return facts;
}

std::vector<Mp4Box> mp4_boxes(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::error_code failed;
  const auto end = static_cast<int64_t>(std::filesystem::file_size(file, failed));
  if (!stream || failed) fail<ConfigError>(file.string(), ": cannot be read");
  std::vector<Mp4Box> boxes;
  for (int64_t offset = 0; offset < end;) {
    std::array<unsigned char, 16> head{};
    stream.seekg(offset);
    stream.read(reinterpret_cast<char*>(head.data()), 16);
    const auto got = stream.gcount();
    stream.clear();
    const std::string type(reinterpret_cast<const char*>(head.data()) + 4, 4);
    if (boxes.empty() && type != "ftyp") return {};
    int64_t size = big_endian(head.data(), 4);
    int64_t smallest = 8;
    if (size == 1) {  // a 64-bit size follows the type
      size = big_endian(head.data() + 8, 8);
      smallest = 16;
    } else if (size == 0) {  // up to the end of the file
      size = end - offset;
    }
    if (got < smallest || size < smallest || size > end - offset) {
      fail<ConfigError>(file.string(), ": the file ends within a box, or is damaged: at byte ",
                        offset);
    }
    boxes.push_back({type, offset, size});
    offset += size;
  }
  return boxes;
}

}  // namespace reel::media
