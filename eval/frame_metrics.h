// How far one frame is from another. Letters: docs/SHAPES.md.
#pragma once

#include <ATen/core/Tensor.h>

namespace reel::eval {

/// Sides below this have no window of SSIM.
constexpr int64_t kSsimWindow = 11;

/// Peak signal-to-noise ratio in dB, 10 log10(255^2 / mean squared error) over all pixels and
/// channels; infinite for equal frames. Both [H, W, 3] uint8 RGB on the CPU, contiguous. Throws
/// ShapeError if they differ in size.
double psnr(const at::Tensor& a, const at::Tensor& b);

/// Structural similarity (Wang et al. 2004): Gaussian window of 11 pixels with sigma 1.5, biased
/// covariances, K1 = 0.01, K2 = 0.03, range 255; mean over all pixels with a whole window, and over
/// the channels. What scikit-image computes with gaussian_weights, sigma 1.5 and
/// use_sample_covariance off. Frames as in psnr(); throws ShapeError also for a side below
/// kSsimWindow.
double ssim(const at::Tensor& a, const at::Tensor& b);

}  // namespace reel::eval
