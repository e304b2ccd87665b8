// Learned perceptual image patch similarity: how different two frames look to a network.
// Letters: docs/SHAPES.md.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

namespace reel::eval {

/// LPIPS version 0.1 (Zhang et al. 2018) with the features of AlexNet or VGG-16: differences of
/// unit-normalised features, squared, weighted by channel, averaged over pixels, added over five
/// layers. What the Python package `lpips` computes with the same weights.
class Lpips {
 public:
  /// Sides below this leave no pixel of the last layer.
  static constexpr int64_t kLeastSide = 32;

  /// Reads a file that tools/export_lpips.py made. Throws WeightError if it is none: a wrong
  /// format, missing, extra or ill-shaped tensors.
  explicit Lpips(const std::filesystem::path& file, at::Device device = at::kCPU);

  /// The distance of each frame from its reference, 0 for equal ones: both [F, H, W, 3] uint8 on
  /// the CPU. Throws ShapeError if they differ in size, or for a side below kLeastSide.
  std::vector<double> operator()(const at::Tensor& reference, const at::Tensor& frames) const;

  /// "alex" or "vgg".
  const std::string& net() const { return net_; }

 private:
  struct Convolution {
    at::Tensor weight, bias;
    int64_t stride, padding;
    int64_t pool_size;  // of the 2-strided maximum before it; 0: none
    bool ends_layer;    // its activations are compared
  };

  std::vector<at::Tensor> features(const at::Tensor& frames) const;

  at::Device device_;
  std::string net_;
  std::vector<Convolution> convolutions_;
  std::vector<at::Tensor> channel_weights_;  // [1, C, 1, 1] a layer
};

}  // namespace reel::eval
