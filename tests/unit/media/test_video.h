// Small videos for the tests of media/. Letters: docs/SHAPES.md.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>

#include "media/encoder_plan.h"
#include "media/frame_rate.h"

namespace reel::media {

/// A coloured gradient that moves: [F, H, W, 3] uint8. Smooth, as encoders like it, and every frame
/// differs from the others.
at::Tensor moving_gradient(int64_t num_frames, int64_t height, int64_t width);

/// Every pixel of [F, H, W, 3] is the colour.
at::Tensor flat_frames(int64_t num_frames, int64_t height, int64_t width, int red, int green,
                       int blue);

/// Writes `frames` to `file` in one go, replacing what is there.
void write_video(const std::filesystem::path& file, const at::Tensor& frames,
                 const EncoderOptions& options, FrameRate rate = {24, 1});

/// The largest difference of two 8-bit tensors of one shape.
int max_difference(const at::Tensor& a, const at::Tensor& b);

/// Peak signal to noise ratio in dB, over all frames.
double psnr_db(const at::Tensor& a, const at::Tensor& b);

}  // namespace reel::media
