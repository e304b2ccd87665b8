#include "vae/encoder.h"

#include <string>

#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::vae {
namespace {

constexpr double kMinLogvar = -30.0;
constexpr double kMaxLogvar = 20.0;

void check_frames(const at::Tensor& frames) {
  constexpr const char* kWhere = "vae::Encoder";
  check_tensor(kWhere, frames, "frames",
               {{'B', kAny}, {'C', kImageChannels}, {'F', kAny}, {'H', kAny}, {'W', kAny}});
  if (frames.size(2) % kTemporalRatio != 1) {
    fail<ShapeError>(kWhere, ": wrong number of frames: got ", frames.size(2), ", want 4k + 1");
  }
  if (frames.size(3) % kSpatialRatio != 0 || frames.size(4) % kSpatialRatio != 0) {
    fail<ShapeError>(kWhere, ": wrong frame size: got ", frames.size(4), "x", frames.size(3),
                     ", want multiples of ", kSpatialRatio);
  }
}

}  // namespace

Posterior posterior_of(const at::Tensor& moments) {
  const auto halves = moments.chunk(2, 1);
  return {halves[0].contiguous(), halves[1].clamp(kMinLogvar, kMaxLogvar)};
}

Encoder::Encoder(const Config& config, weights::WeightStore& store, Backend backend)
    : config_(config),
      conv_in_(store, "encoder.conv_in", /*stride=*/{}, backend),
      mid_block_(store, "encoder.mid_block", config, backend),
      out_(store, "encoder.conv_norm_out", "encoder.conv_out", config.num_groups, backend),
      quant_weight_(store.take_weight("quant_conv")),
      quant_bias_(store.take_bias("quant_conv")) {
  int64_t in = config.block_channels.front();
  for (int64_t i = 0; i < kNumBlocks; ++i) {
    const int64_t out = config.block_channels[static_cast<size_t>(i)];
    const std::string stem = "encoder.down_blocks." + std::to_string(i);
    DownBlock block;
    for (int64_t j = 0; j < config.layers_per_block; ++j) {
      block.resnets.emplace_back(store, stem + ".resnets." + std::to_string(j), config.num_groups,
                                 /*changes_width=*/j == 0 && in != out, backend);
    }
    if (const ScaleFactor factor = block_factor(i); factor.changes_size()) {
      block.downsampler.emplace(store, stem + ".downsamplers.0.conv", factor, backend);
    }
    down_blocks_.push_back(std::move(block));
    in = out;
  }
}

at::Tensor Encoder::encode(const at::Tensor& frames) const {
  check_frames(frames);
  at::Tensor x = conv_in_.forward(frames.to(quant_weight_.options()));
  for (const auto& block : down_blocks_) {
    for (const auto& resnet : block.resnets) x = resnet.forward(x);
    if (block.downsampler) x = block.downsampler->forward(x);
  }
  x = out_.forward(mid_block_.forward(x));
  return at::conv3d(x, quant_weight_, quant_bias_).to(at::kFloat).contiguous();
}

}  // namespace reel::vae
