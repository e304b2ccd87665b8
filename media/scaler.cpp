#include "media/scaler.h"

#include <ATen/ops/empty.h>

#include <cstring>

namespace reel::media {
namespace {

// swscale counts chroma positions in 1/256 of a luma pixel; unset ones are taken as the frame's
// default, which for 4:2:0 is the left edge.
void set_chroma_position(SwsContext& scaler, const std::string& side, const AVFrame& frame) {
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  if (format->log2_chroma_w != 1 || format->log2_chroma_h != 1) return;
  const bool centre = number_in(frame.chroma_location) == AVCHROMA_LOC_CENTER;
  av_opt_set_int(&scaler, (side + "_h_chr_pos").c_str(), centre ? 128 : 0, 0);
  av_opt_set_int(&scaler, (side + "_v_chr_pos").c_str(), 128, 0);
}

// `side` is "src" or "dst".
void set_side(SwsContext& scaler, const std::string& side, const AVFrame& frame) {
  av_opt_set_int(&scaler, (side + "w").c_str(), frame.width, 0);
  av_opt_set_int(&scaler, (side + "h").c_str(), frame.height, 0);
  av_opt_set_int(&scaler, (side + "_format").c_str(), frame.format, 0);
  set_chroma_position(scaler, side, frame);
}

bool is_full_range(const AVFrame& frame) {
  const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  const bool is_rgb = (format->flags & AV_PIX_FMT_FLAG_RGB) != 0;
  const bool is_jpeg = std::string(format->name).starts_with("yuvj");
  return is_rgb || is_jpeg || number_in(frame.color_range) == AVCOL_RANGE_JPEG;
}

}  // namespace

Scaler make_scaler(const AVFrame& from, const AVFrame& to, const std::string& where) {
  Scaler scaler = allocated(Scaler(sws_alloc_context()), where);
  set_side(*scaler, "src", from);
  set_side(*scaler, "dst", to);
  av_opt_set_int(scaler.get(), "sws_flags",
                 SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP, 0);
  check(sws_init_context(scaler.get(), nullptr, nullptr), where, "preparing the colour conversion");
  constexpr int kOne = 1 << 16;  // 16.16 fixed point
  // Refused between two RGB formats, which need no matrix.
  sws_setColorspaceDetails(scaler.get(), sws_getCoefficients(number_in(from.colorspace)),
                           is_full_range(from), sws_getCoefficients(number_in(to.colorspace)),
                           is_full_range(to),
                           /*brightness=*/0, /*contrast=*/kOne, /*saturation=*/kOne);
  return scaler;
}

void scale(SwsContext& scaler, const AVFrame& from, AVFrame& to, const std::string& where) {
  const int rows =
      sws_scale(&scaler, from.data, from.linesize, 0, from.height, to.data, to.linesize);
  if (rows != to.height) fail<IoError>(where, ": the colour conversion failed");
}

void copy_pixels(const at::Tensor& pixels, AVFrame& to) {
  const auto* row = pixels.const_data_ptr<uint8_t>();
  const size_t row_bytes = static_cast<size_t>(to.width) * 3;
  for (int y = 0; y < to.height; ++y, row += row_bytes) {
    std::memcpy(to.data[0] + ptrdiff_t{y} * to.linesize[0], row, row_bytes);
  }
}

at::Tensor pixels_of(const AVFrame& frame) {
  at::Tensor pixels = at::empty({frame.height, frame.width, 3}, at::kByte);
  auto* row = pixels.mutable_data_ptr<uint8_t>();
  const size_t row_bytes = static_cast<size_t>(frame.width) * 3;
  for (int y = 0; y < frame.height; ++y, row += row_bytes) {
    std::memcpy(row, frame.data[0] + ptrdiff_t{y} * frame.linesize[0], row_bytes);
  }
  return pixels;
}

}  // namespace reel::media
