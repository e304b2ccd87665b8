// Conversion between RGB and the encoders' pixel formats.
#pragma once

#include <ATen/core/Tensor.h>

#include "media/ffmpeg.h"

namespace reel::media {

/// Converts frames like `from` into frames like `to`, of the same size: exactly rounded BT.709 (or
/// the matrix, range and chroma position that the YUV side's tags name).
Scaler make_scaler(const AVFrame& from, const AVFrame& to, const std::string& where);

/// Converts one frame.
void scale(SwsContext& scaler, const AVFrame& from, AVFrame& to, const std::string& where);

/// Copies `pixels` [H, W, 3] uint8, contiguous, into an RGB24 frame of that size.
void copy_pixels(const at::Tensor& pixels, AVFrame& to);

/// The pixels of an RGB24 frame: [H, W, 3] uint8.
at::Tensor pixels_of(const AVFrame& frame);

}  // namespace reel::media
