#include "vae/decoder.h"

#include <fmt/format.h>

#include <string>

#include "core/tensor_check.h"

namespace reel::vae {
namespace {

void show(const StageObserver& observer, std::string_view stage, const at::Tensor& value) {
  if (observer) observer(stage, value);
}

}  // namespace

Decoder::Decoder(const Config& config, weights::WeightStore& store, Backend backend)
    : config_(config),
      post_quant_weight_(store.take_weight("post_quant_conv")),
      post_quant_bias_(store.take_bias("post_quant_conv")),
      conv_in_(store, "decoder.conv_in", /*stride=*/{}, backend),
      mid_block_(store, "decoder.mid_block", config, backend),
      out_(store, "decoder.conv_norm_out", "decoder.conv_out", config.num_groups, backend) {
  int64_t in = config.block_channels.back();
  for (int64_t i = 0; i < kNumBlocks; ++i) {
    const int64_t out = config.block_channels[static_cast<size_t>(kNumBlocks - 1 - i)];
    const std::string stem = fmt::format("decoder.up_blocks.{}", i);
    UpBlock block;
    for (int64_t j = 0; j <= config.layers_per_block; ++j) {
      block.resnets.emplace_back(store, fmt::format("{}.resnets.{}", stem, j), config.num_groups,
                                 /*changes_width=*/j == 0 && in != out, backend);
    }
    if (const ScaleFactor factor = block_factor(i); factor.changes_size()) {
      block.upsampler.emplace(store, stem + ".upsamplers.0", factor, backend);
    }
    up_blocks_.push_back(std::move(block));
    in = out;
  }
}

at::Tensor Decoder::decode(const at::Tensor& z, const StageObserver& observer) const {
  check_tensor(
      "vae::Decoder", z, "z",
      {{'B', kAny}, {'C', config_.latent_channels}, {'T', kAny}, {'h', kAny}, {'w', kAny}});
  at::Tensor x =
      at::conv3d(z.to(post_quant_weight_.options()), post_quant_weight_, post_quant_bias_);
  x = conv_in_.forward(x);
  show(observer, "conv_in", x);
  x = mid_block_.forward(x);
  show(observer, "mid_block", x);
  for (size_t i = 0; i < up_blocks_.size(); ++i) {
    for (const auto& resnet : up_blocks_[i].resnets) x = resnet.forward(x);
    if (up_blocks_[i].upsampler) x = up_blocks_[i].upsampler->forward(x);
    show(observer, "up_blocks." + std::to_string(i), x);
  }
  return out_.forward(x).to(at::kFloat).contiguous();
}

}  // namespace reel::vae
