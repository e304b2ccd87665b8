#include "media/mp4_writer.h"

#include <cstring>
#include <string>

#include "core/tensor_check.h"
#include "media/avio_file.h"
#include "media/ffmpeg.h"
#include "media/scaler.h"

namespace reel::media {
namespace {

// Tags the stream (or one frame of it) as BT.709; RGB is full range and has no matrix.
template <typename Target>
void tag_colour(Target& target, AVPixelFormat format) {
  const bool is_rgb = (av_pix_fmt_desc_get(format)->flags & AV_PIX_FMT_FLAG_RGB) != 0;
  target.color_primaries = AVCOL_PRI_BT709;
  target.color_trc = AVCOL_TRC_BT709;
  target.colorspace = is_rgb ? AVCOL_SPC_RGB : AVCOL_SPC_BT709;
  target.color_range = is_rgb ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
}

AVPixelFormat pixel_format(const EncoderPlan& plan) {
  return av_get_pix_fmt(plan.pix_fmt.c_str());
}

void set_encoder_options(AVCodecContext& encoder, const EncoderPlan& plan,
                         const std::string& where) {
  const auto set = [&](const char* name, const std::string& value) {
    check(av_opt_set(encoder.priv_data, name, value.c_str(), 0), where,
          std::string("setting the encoder's ") + name);
  };
  set("preset", plan.preset);
  set("crf", std::to_string(plan.crf));
  if (plan.codec == "h265") set("x265-params", "log-level=none");
}

CodecContext open_encoder(const VideoFormat& format, const EncoderPlan& plan, bool global_header,
                          const std::string& where) {
  const AVCodec* codec = avcodec_find_encoder_by_name(plan.encoder.c_str());
  if (codec == nullptr) fail<ConfigError>(where, ": this FFmpeg has no ", plan.encoder);
  CodecContext encoder = allocated(CodecContext(avcodec_alloc_context3(codec)), where);
  encoder->width = static_cast<int>(format.width);
  encoder->height = static_cast<int>(format.height);
  encoder->pix_fmt = pixel_format(plan);
  encoder->time_base = {format.rate.den, format.rate.num};
  encoder->framerate = {format.rate.num, format.rate.den};
  encoder->sample_aspect_ratio = {1, 1};
  tag_colour(*encoder, encoder->pix_fmt);
  if (encoder->pix_fmt == AV_PIX_FMT_YUV420P) {
    encoder->chroma_sample_location = AVCHROMA_LOC_LEFT;
  }
  if (global_header) encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  set_encoder_options(*encoder, plan, where);
  const int opened = avcodec_open2(encoder.get(), codec, nullptr);
  if (opened < 0) {
    fail<ConfigError>(where, ": ", plan.encoder, " refuses ", format.width, " x ", format.height,
                      " ", plan.pix_fmt, " with crf ", plan.crf, ": ", error_text(opened));
  }
  return encoder;
}

}  // namespace

// Members are destroyed from the last to the first: the muxer before the file that it writes.
struct Mp4Writer::State {
  State(const std::filesystem::path& target, IfExists if_exists)
      : where(target.string()), file(target, if_exists), io(file) {}

  void open_muxer(const VideoFormat& format, const EncoderPlan& plan);
  void encode(const AVFrame* frame);
  void check_written(int code, const std::string& doing);

  std::string where;
  OutputFile file;
  AvioFile io;
  OutputContext muxer;
  CodecContext encoder;
  AVStream* stream = nullptr;  // the muxer's
  Packet packet;
  Frame rgb;
  Frame encoded;
  Scaler scaler;  // none if the encoder takes RGB
  int64_t num_frames = 0;
  int64_t num_packets = 0;
};

void Mp4Writer::State::open_muxer(const VideoFormat& format, const EncoderPlan& plan) {
  AVFormatContext* context = nullptr;
  check(avformat_alloc_output_context2(&context, nullptr, "mp4", where.c_str()), where,
        "making an MP4");
  muxer.reset(context);
  io.attach(*muxer);
  encoder = open_encoder(format, plan, (muxer->oformat->flags & AVFMT_GLOBALHEADER) != 0, where);
  stream = avformat_new_stream(muxer.get(), nullptr);
  if (stream == nullptr) fail<OutOfMemory>(where, ": FFmpeg could not allocate memory");
  check(avcodec_parameters_from_context(stream->codecpar, encoder.get()), where,
        "describing the stream");
  // hvc1 keeps the parameter sets out of the stream, which is what Apple's players want.
  if (plan.codec == "h265") stream->codecpar->codec_tag = MKTAG('h', 'v', 'c', '1');
  stream->time_base = encoder->time_base;
  stream->avg_frame_rate = encoder->framerate;
  stream->r_frame_rate = encoder->framerate;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "movflags", "+faststart+write_colr", 0);
  const int written = avformat_write_header(muxer.get(), &options);
  const Dictionary unused(options);
  check_written(written, "writing the header");
}

void Mp4Writer::State::check_written(int code, const std::string& doing) {
  io.rethrow();  // says more than FFmpeg's code
  check(code, where, doing);
}

// Sends one frame, or none to end the stream, and writes the packets that are ready.
void Mp4Writer::State::encode(const AVFrame* frame) {
  check(avcodec_send_frame(encoder.get(), frame), where, "encoding");
  for (;;) {
    const int code = avcodec_receive_packet(encoder.get(), packet.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
    check(code, where, "encoding");
    packet->duration = 1;  // of the encoder's time base; or the last frame would have none
    packet->stream_index = stream->index;
    av_packet_rescale_ts(packet.get(), encoder->time_base, stream->time_base);
    check_written(av_interleaved_write_frame(muxer.get(), packet.get()), "writing");
    ++num_packets;
  }
}

Mp4Writer::Mp4Writer(const std::filesystem::path& target, IfExists if_exists,
                     const VideoFormat& format, const EncoderPlan& plan)
    : state_(std::make_unique<State>(target, if_exists)) {
  silence_log();
  State& s = *state_;
  s.open_muxer(format, plan);
  s.packet = allocated(Packet(av_packet_alloc()), s.where);
  s.rgb = make_frame(s.encoder->width, s.encoder->height, AV_PIX_FMT_RGB24, s.where);
  s.encoded = make_frame(s.encoder->width, s.encoder->height, s.encoder->pix_fmt, s.where);
  tag_colour(*s.encoded, s.encoder->pix_fmt);
  s.encoded->chroma_location = s.encoder->chroma_sample_location;
  if (s.encoder->pix_fmt != AV_PIX_FMT_RGB24) s.scaler = make_scaler(*s.rgb, *s.encoded, s.where);
}

Mp4Writer::~Mp4Writer() = default;

void Mp4Writer::write(const at::Tensor& frames) {
  State& s = *state_;
  check_tensor("Mp4Writer::write", frames, "frames",
               {{'F', kAny}, {'H', s.encoder->height}, {'W', s.encoder->width}, {'3', 3}},
               at::kByte);
  const at::Tensor host = frames.contiguous();
  for (int64_t i = 0; i < host.size(0); ++i) {
    // The encoder may still hold the last frame's memory.
    check(av_frame_make_writable(s.encoded.get()), s.where, "preparing a frame");
    AVFrame& rgb = s.scaler ? *s.rgb : *s.encoded;
    copy_pixels(host[i], rgb);
    if (s.scaler) scale(*s.scaler, rgb, *s.encoded, s.where);
    s.encoded->pts = s.num_frames++;
    s.encode(s.encoded.get());
  }
}

void Mp4Writer::set_comment(const std::string& text) {
  check(av_dict_set(&state_->muxer->metadata, "comment", text.c_str(), 0), state_->where,
        "storing the comment");
}

void Mp4Writer::finish() {
  State& s = *state_;
  if (s.num_frames == 0) fail<OutputError>(s.where, ": no frames to write");
  s.encode(nullptr);
  if (s.num_packets != s.num_frames) {
    fail<IoError>(s.where, ": the encoder lost frames: got ", s.num_packets, ", want ",
                  s.num_frames);
  }
  s.check_written(av_write_trailer(s.muxer.get()), "writing the index");
  avio_flush(s.muxer->pb);
  s.check_written(s.muxer->pb->error, "writing");
  s.file.commit();
}

}  // namespace reel::media
