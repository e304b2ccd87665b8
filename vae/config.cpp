#include "vae/config.h"

#include <string>

namespace reel::vae {
namespace {

// The two layouts name the same things differently.
struct Dialect {
  const char* class_name;
  const char* down_block;
  const char* up_block;
  const char* temporal_ratio_key;
};

// Far above every published model; products of sizes below these fit into 64 bits.
constexpr int64_t kMostChannels = 1 << 16;
constexpr int64_t kMostLayers = 100;

constexpr Dialect kDiffusers{"AutoencoderKLHunyuanVideo", "HunyuanVideoDownBlock3D",
                             "HunyuanVideoUpBlock3D", "temporal_compression_ratio"};
constexpr Dialect kOfficial{"AutoencoderKLCausal3D", "DownEncoderBlockCausal3D",
                            "UpDecoderBlockCausal3D", "time_compression_ratio"};

const Dialect& dialect_of(const JsonReader& json) {
  const std::string name = json.string("_class_name");
  if (name == kDiffusers.class_name) return kDiffusers;
  if (name == kOfficial.class_name) return kOfficial;
  json.fail_at("_class_name", "not a HunyuanVideo VAE: got " + name + ", want " +
                                  kDiffusers.class_name + " or " + kOfficial.class_name);
}

void expect_integer(const JsonReader& json, const std::string& key, int64_t want) {
  const int64_t got = json.integer(key);
  if (got != want) {
    json.fail_at(key,
                 "not supported: got " + std::to_string(got) + ", want " + std::to_string(want));
  }
}

void expect_block_types(const JsonReader& json, const std::string& key, const std::string& want) {
  const auto types = json.strings(key);
  if (types.size() != static_cast<size_t>(kNumBlocks)) {
    json.fail_at(key, "wrong number of blocks: got " + std::to_string(types.size()) + ", want " +
                          std::to_string(kNumBlocks));
  }
  for (const auto& type : types) {
    if (type != want) json.fail_at(key, "not supported: got " + type + ", want " + want);
  }
}

void check_block_channels(const JsonReader& json, const Config& config) {
  const std::string key = "block_out_channels";
  if (config.block_channels.size() != static_cast<size_t>(kNumBlocks)) {
    json.fail_at(key, "wrong number of blocks: got " +
                          std::to_string(config.block_channels.size()) + ", want " +
                          std::to_string(kNumBlocks));
  }
  for (const int64_t channels : config.block_channels) {
    if (channels < 1 || channels > kMostChannels || channels % config.num_groups != 0) {
      json.fail_at(key, "not a positive multiple of norm_num_groups: got " +
                            std::to_string(channels) + ", want a multiple of " +
                            std::to_string(config.num_groups) + ", at most " +
                            std::to_string(kMostChannels));
    }
  }
}

}  // namespace

Config Config::read(const JsonReader& json) {
  const Dialect& dialect = dialect_of(json);
  std::vector<std::string> known = {"_class_name",
                                    "_diffusers_version",
                                    "_name_or_path",
                                    "act_fn",
                                    "block_out_channels",
                                    "down_block_types",
                                    "in_channels",
                                    "latent_channels",
                                    "layers_per_block",
                                    "norm_num_groups",
                                    "mid_block_add_attention",
                                    "out_channels",
                                    "scaling_factor",
                                    "spatial_compression_ratio",
                                    "up_block_types",
                                    dialect.temporal_ratio_key};
  // The official file keeps its tile sizes there; ours are a plan of their own.
  if (&dialect == &kOfficial) known.insert(known.end(), {"sample_size", "sample_tsize"});
  json.refuse_unknown_keys(known);

  expect_integer(json, "in_channels", kImageChannels);
  expect_integer(json, "out_channels", kImageChannels);
  expect_integer(json, dialect.temporal_ratio_key, kTemporalRatio);
  // The published official file leaves this one to its class, which knows no other value.
  if (&dialect == &kDiffusers || json.has("spatial_compression_ratio")) {
    expect_integer(json, "spatial_compression_ratio", kSpatialRatio);
  }
  expect_block_types(json, "down_block_types", dialect.down_block);
  expect_block_types(json, "up_block_types", dialect.up_block);
  if (const std::string activation = json.string("act_fn"); activation != "silu") {
    json.fail_at("act_fn", "not supported: got " + activation + ", want silu");
  }

  Config config;
  config.latent_channels = json.positive("latent_channels", kMostChannels);
  config.layers_per_block = json.positive("layers_per_block", kMostLayers);
  config.num_groups = json.positive("norm_num_groups");
  config.block_channels = json.integers("block_out_channels");
  config.mid_attention = json.boolean("mid_block_add_attention");
  config.scaling_factor = json.number("scaling_factor");
  check_block_channels(json, config);
  if (!(config.scaling_factor > 0.0)) {
    json.fail_at("scaling_factor", "not positive: got " + std::to_string(config.scaling_factor));
  }
  return config;
}

}  // namespace reel::vae
