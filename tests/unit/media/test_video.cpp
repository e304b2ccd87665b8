#include "tests/unit/media/test_video.h"

#include <ATen/ATen.h>

#include <cmath>

#include "media/mp4_writer.h"

namespace reel::media {

at::Tensor moving_gradient(int64_t num_frames, int64_t height, int64_t width) {
  const auto axis = [](int64_t size) { return at::arange(size, at::kFloat); };
  const at::Tensor t = axis(num_frames).view({-1, 1, 1}) * 3;
  const at::Tensor y = axis(height).view({1, -1, 1});
  const at::Tensor x = axis(width).view({1, 1, -1});
  const at::Tensor red = at::sin((x + t) / 20) * 100 + 128 + y * 0;
  const at::Tensor green = at::sin((y + x + t * 2) / 25) * 90 + 120;
  const at::Tensor blue = at::cos((y - t) / 30) * 80 + 110 + x * 0;
  return at::stack({red, green, blue}, -1).to(at::kByte).contiguous();
}

at::Tensor flat_frames(int64_t num_frames, int64_t height, int64_t width, int red, int green,
                       int blue) {
  const at::Tensor colour = at::tensor({red, green, blue}, at::kByte);
  return colour.expand({num_frames, height, width, 3}).contiguous();
}

void write_video(const std::filesystem::path& file, const at::Tensor& frames,
                 const EncoderOptions& options, FrameRate rate) {
  const EncoderPlan plan = plan_encoder(options, frames.size(2), frames.size(1));
  Mp4Writer writer(file, IfExists::kReplace, {frames.size(2), frames.size(1), rate}, plan);
  writer.write(frames);
  writer.finish();
}

int max_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kInt) - b.to(at::kInt)).abs().max().item<int>();
}

double psnr_db(const at::Tensor& a, const at::Tensor& b) {
  const double mse = (a.to(at::kDouble) - b.to(at::kDouble)).square().mean().item<double>();
  return 10 * std::log10(255.0 * 255.0 / mse);
}

}  // namespace reel::media
