#include "media/png_codec.h"

#include "core/tensor_check.h"
#include "media/ffmpeg.h"
#include "media/scaler.h"

namespace reel::media {

std::string encode_png(const at::Tensor& pixels) {
  const std::string where = "encode_png";
  silence_log();
  check_tensor(where, pixels, "pixels", {{'H', kAny}, {'W', kAny}, {'3', 3}}, at::kByte);
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_PNG);
  if (codec == nullptr) fail<ConfigError>("PNG: this FFmpeg has no PNG encoder");
  const CodecContext encoder = allocated(CodecContext(avcodec_alloc_context3(codec)), where);
  encoder->height = static_cast<int>(pixels.size(0));
  encoder->width = static_cast<int>(pixels.size(1));
  encoder->pix_fmt = AV_PIX_FMT_RGB24;
  encoder->time_base = {1, 1};  // required, without meaning for one picture
  check(avcodec_open2(encoder.get(), codec, nullptr), where, "opening the encoder");
  const Frame frame = make_frame(encoder->width, encoder->height, AV_PIX_FMT_RGB24, where);
  copy_pixels(pixels.contiguous(), *frame);
  frame->pts = 0;
  const Packet packet = allocated(Packet(av_packet_alloc()), where);
  check(avcodec_send_frame(encoder.get(), frame.get()), where, "encoding");
  check(avcodec_send_frame(encoder.get(), nullptr), where, "encoding");
  check(avcodec_receive_packet(encoder.get(), packet.get()), where, "encoding");
  return {reinterpret_cast<const char*>(packet->data), static_cast<size_t>(packet->size)};
}

}  // namespace reel::media
