#include "eval/lpips.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "core/error.h"
#include "core/printable.h"
#include "core/tensor_check.h"
#include "weights/load_weights.h"
#include "weights/published_layout.h"
#include "weights/safetensors.h"

namespace reel::eval {
namespace {

// One convolution of torchvision's feature stacks.
struct ConvolutionSpec {
  int index;  // in the name "features.N"
  int64_t in, out, kernel, stride, padding, pool_size;
  bool ends_layer;
};

constexpr std::array kAlexNet = {
    ConvolutionSpec{0, 3, 64, 11, 4, 2, 0, true}, ConvolutionSpec{3, 64, 192, 5, 1, 2, 3, true},
    ConvolutionSpec{6, 192, 384, 3, 1, 1, 3, true}, ConvolutionSpec{8, 384, 256, 3, 1, 1, 0, true},
    ConvolutionSpec{10, 256, 256, 3, 1, 1, 0, true}};

constexpr std::array kVgg16 = {ConvolutionSpec{0, 3, 64, 3, 1, 1, 0, false},
                               ConvolutionSpec{2, 64, 64, 3, 1, 1, 0, true},
                               ConvolutionSpec{5, 64, 128, 3, 1, 1, 2, false},
                               ConvolutionSpec{7, 128, 128, 3, 1, 1, 0, true},
                               ConvolutionSpec{10, 128, 256, 3, 1, 1, 2, false},
                               ConvolutionSpec{12, 256, 256, 3, 1, 1, 0, false},
                               ConvolutionSpec{14, 256, 256, 3, 1, 1, 0, true},
                               ConvolutionSpec{17, 256, 512, 3, 1, 1, 2, false},
                               ConvolutionSpec{19, 512, 512, 3, 1, 1, 0, false},
                               ConvolutionSpec{21, 512, 512, 3, 1, 1, 0, true},
                               ConvolutionSpec{24, 512, 512, 3, 1, 1, 2, false},
                               ConvolutionSpec{26, 512, 512, 3, 1, 1, 0, false},
                               ConvolutionSpec{28, 512, 512, 3, 1, 1, 0, true}};

std::span<const ConvolutionSpec> convolutions_of(const std::string& net) {
  if (net == "alex") return kAlexNet;
  return kVgg16;
}

std::vector<weights::Recipe> recipes_of(std::span<const ConvolutionSpec> convolutions) {
  weights::WeightTable table;
  int layer = 0;
  for (const auto& spec : convolutions) {
    const std::string stem = fmt::format("features.{}", spec.index);
    table.add(stem + ".weight", {spec.out, spec.in, spec.kernel, spec.kernel});
    table.add(stem + ".bias", {spec.out});
    if (spec.ends_layer) table.add(fmt::format("lin.{}.weight", layer++), {1, spec.out, 1, 1});
  }
  return weights::recipes_for(table, {});
}

// The network's own idea of how bright and how varied pixels in [-1, 1] are.
at::Tensor standardised(const at::Tensor& frames) {
  const at::Tensor shift = at::tensor({-0.030, -0.088, -0.188}, frames.options());
  const at::Tensor scale = at::tensor({0.458, 0.448, 0.450}, frames.options());
  return (frames - shift.view({1, 3, 1, 1})) / scale.view({1, 3, 1, 1});
}

at::Tensor unit_length(const at::Tensor& features) {
  constexpr double kLeastLength = 1e-10;
  return features / (features.square().sum(1, /*keepdim=*/true).sqrt() + kLeastLength);
}

}  // namespace

Lpips::Lpips(const std::filesystem::path& file, at::Device device) : device_(device) {
  const auto source = weights::open_safetensors(file);
  const auto& facts = source.metadata();
  const auto format = facts.find("format");
  const auto net = facts.find("net");
  if (format == facts.end() || format->second != "lpips-0.1" || net == facts.end() ||
      (net->second != "alex" && net->second != "vgg")) {
    fail<WeightError>(printable(file.string()),
                      ": no weights of LPIPS: want a file that tools/export_lpips.py made");
  }
  net_ = net->second;
  const auto specs = convolutions_of(net_);
  auto store = weights::load_weights("LPIPS", source, recipes_of(specs), {}, device, at::kFloat);
  for (const auto& spec : specs) {
    const std::string stem = fmt::format("features.{}", spec.index);
    convolutions_.push_back({store.take_weight(stem), store.take_bias(stem), spec.stride,
                             spec.padding, spec.pool_size, spec.ends_layer});
    if (!spec.ends_layer) continue;
    channel_weights_.push_back(store.take(fmt::format("lin.{}.weight", channel_weights_.size())));
  }
}

// frames [F, 3, H, W] fp32 in [-1, 1] -> unit-length activations [F, C, h, w] of every layer
std::vector<at::Tensor> Lpips::features(const at::Tensor& frames) const {
  std::vector<at::Tensor> layers;
  at::Tensor x = standardised(frames);
  for (const auto& convolution : convolutions_) {
    if (convolution.pool_size > 0) {
      x = at::max_pool2d(x, {convolution.pool_size, convolution.pool_size}, {2, 2});
    }
    x = at::relu(at::conv2d(x, convolution.weight, convolution.bias,
                            {convolution.stride, convolution.stride},
                            {convolution.padding, convolution.padding}));
    if (convolution.ends_layer) layers.push_back(unit_length(x));
  }
  return layers;
}

std::vector<double> Lpips::operator()(const at::Tensor& reference, const at::Tensor& frames) const {
  check_tensor("lpips", reference, "reference", {{'F', kAny}, {'H', kAny}, {'W', kAny}, {'c', 3}});
  check_tensor(
      "lpips", frames, "frames",
      {{'F', reference.size(0)}, {'H', reference.size(1)}, {'W', reference.size(2)}, {'c', 3}});
  if (std::min(frames.size(1), frames.size(2)) < kLeastSide) {
    fail<ShapeError>("lpips: frame too small: got ", frames.size(2), "x", frames.size(1), ", want ",
                     kLeastSide, " pixels a side or more");
  }
  const auto pixels = [&](const at::Tensor& frame) {
    return frame.to(device_).permute({2, 0, 1}).unsqueeze(0).to(at::kFloat).div(127.5).sub(1.0);
  };
  std::vector<double> distances;
  for (int64_t i = 0; i < frames.size(0); ++i) {  // one by one: VGG's features are large
    const auto expected = features(pixels(reference[i]));
    const auto got = features(pixels(frames[i]));
    at::Tensor sum = at::zeros({}, expected.front().options());
    for (size_t layer = 0; layer < got.size(); ++layer) {
      sum +=
          at::mul((expected[layer] - got[layer]).square(), channel_weights_[layer]).sum(1).mean();
    }
    distances.push_back(sum.item<double>());
  }
  return distances;
}

}  // namespace reel::eval
