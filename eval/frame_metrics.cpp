#include "eval/frame_metrics.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::eval {
namespace {

void check_frames(std::string_view where, const at::Tensor& a, const at::Tensor& b) {
  check_tensor(where, a, "a", {{'H', kAny}, {'W', kAny}, {'c', 3}}, at::kByte);
  check_tensor(where, b, "b", {{'H', a.size(0)}, {'W', a.size(1)}, {'c', 3}}, at::kByte);
}

// The frame in double precision; the window's sums of squares lose digits in less.
cv::Mat as_image(const at::Tensor& frame) {
  const at::Tensor bytes = frame.contiguous();
  const cv::Mat view(static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)), CV_8UC3,
                     bytes.data_ptr());
  cv::Mat image;
  view.convertTo(image, CV_64FC3);
  return image;
}

// Gaussian means of every window that lies inside the image.
cv::Mat windowed(const cv::Mat& image) {
  constexpr int kSize = static_cast<int>(kSsimWindow);
  constexpr double kSigma = 1.5;
  const cv::Mat kernel = cv::getGaussianKernel(kSize, kSigma, CV_64F);
  cv::Mat means;
  cv::sepFilter2D(image, means, CV_64F, kernel, kernel);
  return means(cv::Rect(kSize / 2, kSize / 2, image.cols - kSize + 1, image.rows - kSize + 1));
}

}  // namespace

double psnr(const at::Tensor& a, const at::Tensor& b) {
  check_frames("psnr", a, b);
  const double error = (a.to(at::kDouble) - b.to(at::kDouble)).square().mean().item<double>();
  return error == 0 ? std::numeric_limits<double>::infinity()
                    : 10 * std::log10(255.0 * 255.0 / error);
}

double ssim(const at::Tensor& a, const at::Tensor& b) {
  check_frames("ssim", a, b);
  if (a.size(0) < kSsimWindow || a.size(1) < kSsimWindow) {
    fail<ShapeError>("ssim: frame too small: got ", a.size(1), "x", a.size(0), ", want ",
                     kSsimWindow, " pixels a side or more");
  }
  const cv::Mat x = as_image(a);
  const cv::Mat y = as_image(b);
  const cv::Mat mean_x = windowed(x);
  const cv::Mat mean_y = windowed(y);
  const cv::Mat variance_x = windowed(x.mul(x)) - mean_x.mul(mean_x);
  const cv::Mat variance_y = windowed(y.mul(y)) - mean_y.mul(mean_y);
  const cv::Mat covariance = windowed(x.mul(y)) - mean_x.mul(mean_y);
  const cv::Scalar c1 = cv::Scalar::all(0.01 * 255 * 0.01 * 255);
  const cv::Scalar c2 = cv::Scalar::all(0.03 * 255 * 0.03 * 255);
  const cv::Mat above = (2 * mean_x.mul(mean_y) + c1).mul(2 * covariance + c2);
  const cv::Mat below =
      (mean_x.mul(mean_x) + mean_y.mul(mean_y) + c1).mul(variance_x + variance_y + c2);
  const cv::Scalar mean = cv::mean(above / below);
  return (mean[0] + mean[1] + mean[2]) / 3;
}

}  // namespace reel::eval
