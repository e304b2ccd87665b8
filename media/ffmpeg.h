// FFmpeg's objects as owned handles, its error codes as our exceptions. Sources of media/ alone
// include this; their headers stay free of FFmpeg.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <cstring>
#include <memory>
#include <string>

#include "core/error.h"

namespace reel::media {

/// Frees with a function that takes the address of the pointer, as most of FFmpeg's do.
template <auto kFree>
struct FreeByAddress {
  template <typename T>
  void operator()(T* object) const {
    kFree(&object);
  }
};

/// Frees with a function that takes the pointer.
template <auto kFree>
struct FreeByPointer {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using CodecContext = std::unique_ptr<AVCodecContext, FreeByAddress<avcodec_free_context>>;
using Frame = std::unique_ptr<AVFrame, FreeByAddress<av_frame_free>>;
using Packet = std::unique_ptr<AVPacket, FreeByAddress<av_packet_free>>;
using InputContext = std::unique_ptr<AVFormatContext, FreeByAddress<avformat_close_input>>;
using OutputContext = std::unique_ptr<AVFormatContext, FreeByPointer<avformat_free_context>>;
using Scaler = std::unique_ptr<SwsContext, FreeByPointer<sws_freeContext>>;
using Dictionary = std::unique_ptr<AVDictionary, FreeByAddress<av_dict_free>>;

/// What FFmpeg says about an error code.
std::string error_text(int code);

/// Throws IoError "<where>: <doing> failed: <FFmpeg's words>" if `code` is negative; else returns
/// it.
int check(int code, const std::string& where, const std::string& doing);

/// Throws OutOfMemory if an allocation by FFmpeg gave nothing.
template <typename Handle>
Handle allocated(Handle handle, const std::string& where) {
  if (!handle) fail<OutOfMemory>(where, ": FFmpeg could not allocate memory");
  return handle;
}

/// The number in a field that FFmpeg fills from a file. It may be none of the enumeration's values,
/// and then C++ does not allow the field to be read as what it is declared.
template <typename Enum>
int number_in(const Enum& field) {
  int number = 0;
  static_assert(sizeof(field) == sizeof(number));
  std::memcpy(&number, &field, sizeof(number));
  return number;
}

/// Keeps FFmpeg and its encoders from writing to stderr: what matters comes back as error codes.
void silence_log();

/// Keeps FFmpeg from allocating more than 512 MB at once, as it would for a few bytes of a file
/// that claim many samples; a frame of 8192 x 8192 pixels takes less.
void limit_allocations();

/// A frame with memory of its own for `width` x `height` pixels, padded as FFmpeg wants it.
Frame make_frame(int width, int height, AVPixelFormat format, const std::string& where);

}  // namespace reel::media
