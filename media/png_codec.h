// PNG pictures. Letters: docs/SHAPES.md.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace reel::media {

/// The bytes of a PNG file that holds `pixels`: [H, W, 3] uint8 RGB, CPU. Throws ShapeError for
/// another tensor, IoError if FFmpeg cannot encode it.
std::string encode_png(const at::Tensor& pixels);

}  // namespace reel::media
