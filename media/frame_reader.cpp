#include "media/frame_reader.h"

#include <ATen/ops/stack.h>

#include <vector>

#include "media/input_file.h"
#include "media/scaler.h"

namespace reel::media {

struct FrameReader::State {
  explicit State(const std::filesystem::path& file)
      : where(file.string()), input(open_input(file)) {}

  bool receive();
  void send_packet();
  at::Tensor convert();

  std::string where;
  InputFile input;
  CodecContext decoder;
  Packet packet;
  Frame decoded;
  Frame rgb;
  Scaler scaler;  // none if the decoder gives RGB24
  bool at_end = false;
};

FrameReader::FrameReader(const std::filesystem::path& file)
    : state_(std::make_unique<State>(file)) {
  State& s = *state_;
  const AVCodecParameters* stream = s.input.stream->codecpar;
  const AVCodec* codec = avcodec_find_decoder(stream->codec_id);
  if (codec == nullptr) {
    fail<ConfigError>(s.where, ": this FFmpeg cannot decode ", avcodec_get_name(stream->codec_id));
  }
  s.decoder = allocated(CodecContext(avcodec_alloc_context3(codec)), s.where);
  check(avcodec_parameters_to_context(s.decoder.get(), stream), s.where, "preparing the decoder");
  s.decoder->err_recognition = AV_EF_EXPLODE;  // a damaged picture is an error, not a grey one
  s.decoder->thread_count = 0;                 // as many as there are cores
  check(avcodec_open2(s.decoder.get(), codec, nullptr), s.where, "opening the decoder");
  s.packet = allocated(Packet(av_packet_alloc()), s.where);
  s.decoded = allocated(Frame(av_frame_alloc()), s.where);
}

FrameReader::~FrameReader() = default;

// Gives the decoder its next packet, or the end of the stream.
void FrameReader::State::send_packet() {
  for (;;) {
    const int code = av_read_frame(input.context.get(), packet.get());
    if (code == AVERROR_EOF) {
      at_end = true;
      check(avcodec_send_packet(decoder.get(), nullptr), where, "decoding");
      return;
    }
    check(code, where, "reading");
    const bool ours = packet->stream_index == input.stream->index;
    const int sent = ours ? avcodec_send_packet(decoder.get(), packet.get()) : 0;
    av_packet_unref(packet.get());
    check(sent, where, "decoding");
    if (ours) return;
  }
}

// Leaves the next picture in `decoded`; false after the last.
bool FrameReader::State::receive() {
  for (;;) {
    const int code = avcodec_receive_frame(decoder.get(), decoded.get());
    if (code == AVERROR_EOF) return false;
    if (code >= 0) return true;
    if (code != AVERROR(EAGAIN) || at_end) check(code, where, "decoding");
    send_packet();
  }
}

at::Tensor FrameReader::State::convert() {
  if (decoded->format == AV_PIX_FMT_RGB24) return pixels_of(*decoded);
  if (!rgb || rgb->width != decoded->width || rgb->height != decoded->height) {
    rgb = make_frame(decoded->width, decoded->height, AV_PIX_FMT_RGB24, where);
    scaler = make_scaler(*decoded, *rgb, where);
  }
  scale(*scaler, *decoded, *rgb, where);
  return pixels_of(*rgb);
}

std::optional<at::Tensor> FrameReader::next() {
  if (!state_->receive()) return std::nullopt;
  return state_->convert();
}

at::Tensor read_frames(const std::filesystem::path& file) {
  FrameReader reader(file);
  std::vector<at::Tensor> frames;
  while (auto frame = reader.next()) frames.push_back(std::move(*frame));
  if (frames.empty()) fail<IoError>(file.string(), ": holds no frames");
  return at::stack(frames);
}

}  // namespace reel::media
