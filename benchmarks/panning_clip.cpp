#include "benchmarks/panning_clip.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numbers>
#include <vector>

namespace reel::benchmarks {

at::Tensor panning_clip(int64_t frames, int64_t height, int64_t width) {
  constexpr double kNoise = 3.0;
  constexpr double kSpeed = 4.0;  // pixels a frame
  at::manual_seed(1);
  const at::Tensor y = at::arange(height, at::kFloat).unsqueeze(1);
  std::vector<at::Tensor> pictures;
  for (int64_t frame = 0; frame < frames; ++frame) {
    const at::Tensor x = at::arange(width, at::kFloat) + kSpeed * static_cast<double>(frame);
    std::vector<at::Tensor> channels;
    for (const double period : {97.0, 151.0, 233.0}) {
      const double turn = 2.0 * std::numbers::pi / period;
      channels.push_back((x * turn + y * (turn / 3)).sin() * 60 + (y * turn).cos() * 40 + 128);
    }
    const at::Tensor picture = at::stack(channels, -1);
    pictures.push_back((picture + at::randn_like(picture) * kNoise).clamp_(0, 255).to(at::kByte));
  }
  return at::stack(pictures);
}

}  // namespace reel::benchmarks
