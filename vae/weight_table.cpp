#include "vae/weight_table.h"

#include "vae/resolution.h"

namespace reel::vae {
namespace {

using weights::WeightTable;

void add_causal_conv(WeightTable& table, const std::string& stem, int64_t out, int64_t in) {
  table.add_conv3d(stem + ".conv", out, in, 3, 3, 3);
}

void add_resnet(WeightTable& table, const std::string& stem, int64_t in, int64_t out) {
  table.add_norm(stem + ".norm1", in, /*bias=*/true);
  add_causal_conv(table, stem + ".conv1", out, in);
  table.add_norm(stem + ".norm2", out, /*bias=*/true);
  add_causal_conv(table, stem + ".conv2", out, out);
  if (in != out) table.add_conv3d(stem + ".conv_shortcut.conv", out, in, 1, 1, 1);
}

void add_mid_block(WeightTable& table, const std::string& stem, const Config& config) {
  const int64_t width = config.block_channels.back();
  add_resnet(table, stem + ".resnets.0", width, width);
  if (config.mid_attention) {
    const std::string attention = stem + ".attentions.0";
    table.add_norm(attention + ".group_norm", width, /*bias=*/true);
    for (const char* part : {".to_q", ".to_k", ".to_v", ".to_out.0"}) {
      table.add_linear(attention + part, width, width);
    }
  }
  add_resnet(table, stem + ".resnets.1", width, width);
}

void add_block(WeightTable& table, const std::string& stem, int64_t in, int64_t out,
               int64_t num_resnets) {
  for (int64_t i = 0; i < num_resnets; ++i) {
    add_resnet(table, stem + ".resnets." + std::to_string(i), i == 0 ? in : out, out);
  }
}

}  // namespace

WeightTable decoder_table(const Config& config) {
  WeightTable table;
  table.add_conv3d("post_quant_conv", config.latent_channels, config.latent_channels, 1, 1, 1);
  add_causal_conv(table, "decoder.conv_in", config.block_channels.back(), config.latent_channels);
  add_mid_block(table, "decoder.mid_block", config);
  int64_t in = config.block_channels.back();
  for (int64_t i = 0; i < kNumBlocks; ++i) {
    const int64_t out = config.block_channels[static_cast<size_t>(kNumBlocks - 1 - i)];
    const std::string stem = "decoder.up_blocks." + std::to_string(i);
    add_block(table, stem, in, out, config.layers_per_block + 1);
    if (block_factor(i).changes_size())
      add_causal_conv(table, stem + ".upsamplers.0.conv", out, out);
    in = out;
  }
  table.add_norm("decoder.conv_norm_out", in, /*bias=*/true);
  add_causal_conv(table, "decoder.conv_out", kImageChannels, in);
  return table;
}

WeightTable encoder_table(const Config& config) {
  WeightTable table;
  int64_t in = config.block_channels.front();
  add_causal_conv(table, "encoder.conv_in", in, kImageChannels);
  for (int64_t i = 0; i < kNumBlocks; ++i) {
    const int64_t out = config.block_channels[static_cast<size_t>(i)];
    const std::string stem = "encoder.down_blocks." + std::to_string(i);
    add_block(table, stem, in, out, config.layers_per_block);
    if (block_factor(i).changes_size()) {
      add_causal_conv(table, stem + ".downsamplers.0.conv", out, out);
    }
    in = out;
  }
  add_mid_block(table, "encoder.mid_block", config);
  table.add_norm("encoder.conv_norm_out", in, /*bias=*/true);
  const int64_t moments = 2 * config.latent_channels;
  add_causal_conv(table, "encoder.conv_out", moments, in);
  table.add_conv3d("quant_conv", moments, moments, 1, 1, 1);
  return table;
}

std::vector<std::string> names_unused_by_decoder() {
  return {"encoder.", "quant_conv."};
}

std::vector<std::string> names_unused_by_encoder() {
  return {"decoder.", "post_quant_conv."};
}

}  // namespace reel::vae
