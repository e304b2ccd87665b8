#include "dit/config.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::dit {
namespace {

constexpr const char* kClass = "HunyuanVideoTransformer3DModel";
constexpr double kPublishedTheta = 256.0;
constexpr std::array<int64_t, 3> kPublishedAxes = {16, 56, 56};
constexpr int64_t kPublishedHeadDim = 128;

// Far above every published model; products of sizes below these fit into 64 bits.
constexpr int64_t kMostBlocks = 1000;
constexpr int64_t kWidest = 1 << 20;
constexpr int64_t kMostHeads = 1024;
constexpr int64_t kLargestHead = 1024;
constexpr int64_t kMostChannels = 4096;
constexpr int64_t kLargestPatch = 64;

const std::vector<std::string> kKnownKeys = {"_class_name",
                                             "_diffusers_version",
                                             "_name_or_path",
                                             "attention_head_dim",
                                             "guidance_embeds",
                                             "image_condition_type",
                                             "in_channels",
                                             "mlp_ratio",
                                             "num_attention_heads",
                                             "num_layers",
                                             "num_refiner_layers",
                                             "num_single_layers",
                                             "out_channels",
                                             "patch_size",
                                             "patch_size_t",
                                             "pooled_projection_dim",
                                             "qk_norm",
                                             "rope_axes_dim",
                                             "rope_theta",
                                             "text_embed_dim"};

int64_t read_depth(const JsonReader& json, const std::string& key) {
  const int64_t depth = json.integer(key);
  if (depth < 0 || depth > kMostBlocks) {
    json.fail_at(key, "out of range: got " + std::to_string(depth) + ", want 0 to " +
                          std::to_string(kMostBlocks));
  }
  return depth;
}

void refuse_other_models(const JsonReader& json) {
  if (json.string("_class_name") != kClass) {
    json.fail_at("_class_name", "not a text-to-video HunyuanVideo transformer: got " +
                                    json.string("_class_name") + ", want " + kClass);
  }
  json.refuse_unknown_keys(kKnownKeys);
  if (!json.is_null("image_condition_type")) {
    json.fail_at("image_condition_type", "image-to-video models are not supported: got " +
                                             json.string("image_condition_type") + ", want null");
  }
  if (json.string("qk_norm") != "rms_norm") {
    json.fail_at("qk_norm", "not supported: got " + json.string("qk_norm") + ", want rms_norm");
  }
}

std::array<int64_t, 3> read_axes(const JsonReader& json, int64_t head_dim) {
  const std::string key = "rope_axes_dim";
  const auto axes = json.integers(key);
  const bool good = axes.size() == 3 && std::all_of(axes.begin(), axes.end(), [](int64_t axis) {
                      return axis > 0 && axis <= kLargestHead && axis % 2 == 0;
                    });
  if (!good) {
    json.fail_at(key, "got " + shape_text(axes) + ", want three even numbers from 2 to " +
                          std::to_string(kLargestHead));
  }
  const int64_t sum = std::accumulate(axes.begin(), axes.end(), int64_t{0});
  if (sum != head_dim) {
    json.fail_at(key, "sum is not attention_head_dim: got " + std::to_string(sum) + ", want " +
                          std::to_string(head_dim));
  }
  return {axes[0], axes[1], axes[2]};
}

int64_t read_mlp_width(const JsonReader& json, int64_t width) {
  // Truncated, as the published class does it.
  const double mlp_width = json.number("mlp_ratio") * static_cast<double>(width);
  if (!(mlp_width >= 1 && mlp_width <= kWidest)) {
    json.fail_at("mlp_ratio",
                 "out of range: want an MLP of 1 to " + std::to_string(kWidest) + " features");
  }
  return static_cast<int64_t>(mlp_width);
}

}  // namespace

Config read_config(const JsonReader& json) {
  refuse_other_models(json);
  Config config{};
  config.channels = json.positive("in_channels", kMostChannels);
  // The published class reads null as "like in_channels".
  if (!json.is_null("out_channels") && json.positive("out_channels") != config.channels) {
    json.fail_at("out_channels", "a text-to-video model gives back what it takes: got " +
                                     std::to_string(json.positive("out_channels")) +
                                     ", want in_channels = " + std::to_string(config.channels));
  }
  config.num_heads = json.positive("num_attention_heads", kMostHeads);
  config.head_dim = json.positive("attention_head_dim", kLargestHead);
  config.num_double_blocks = read_depth(json, "num_layers");
  config.num_single_blocks = read_depth(json, "num_single_layers");
  config.num_refiner_blocks = read_depth(json, "num_refiner_layers");
  config.mlp_width = read_mlp_width(json, config.width());
  config.patch_size_t = json.positive("patch_size_t", kLargestPatch);
  config.patch_size = json.positive("patch_size", kLargestPatch);
  config.embeds_guidance = json.boolean("guidance_embeds");
  config.text_dim = json.positive("text_embed_dim", kWidest);
  config.pooled_dim = json.positive("pooled_projection_dim", kWidest);
  config.rope_theta = json.number("rope_theta");
  if (!(config.rope_theta > 0)) json.fail_at("rope_theta", "not above 0");
  config.rope_axes = read_axes(json, config.head_dim);
  return config;
}

namespace {

// The official tensors by name, for questions about their shapes.
class Shapes {
 public:
  Shapes(const std::vector<weights::WeightSpec>& tensors, const std::string& where)
      : where_(where) {
    for (const auto& tensor : tensors) shapes_[tensor.name] = tensor.shape;
  }

  bool has(const std::string& name) const { return shapes_.contains(name); }

  const std::vector<int64_t>& at(const std::string& name, size_t rank) const {
    const auto found = shapes_.find(name);
    if (found == shapes_.end()) {
      fail<WeightError>(where_, ": not a HunyuanVideo text-to-video transformer: ", name,
                        " is missing");
    }
    if (found->second.size() != rank) {
      fail<WeightError>(where_, ": ", name, ": wrong shape: got ", shape_text(found->second),
                        ", want ", rank, " dimensions");
    }
    return found->second;
  }

  // How many blocks "<prefix>0.", "<prefix>1.", ... there are.
  int64_t depth(const std::string& prefix) const {
    int64_t count = 0;
    for (;; ++count) {
      const std::string block = prefix + std::to_string(count) + ".";
      const auto first = shapes_.lower_bound(block);
      if (first == shapes_.end() || !first->first.starts_with(block)) return count;
    }
  }

 private:
  std::map<std::string, std::vector<int64_t>> shapes_;
  const std::string& where_;
};

// A file may claim any shape for a tensor without elements.
void check_sizes(const Config& config, const std::string& where) {
  const auto check = [&](const char* what, int64_t size, int64_t most) {
    if (size >= 1 && size <= most) return;
    fail<WeightError>(where, ": ", what, ": out of range: got ", size, ", want 1 to ", most);
  };
  check("channels", config.channels, kMostChannels);
  check("patch size in time", config.patch_size_t, kLargestPatch);
  check("patch size", config.patch_size, kLargestPatch);
  check("number of heads", config.num_heads, kMostHeads);
  check("width of the MLP", config.mlp_width, kWidest);
  check("width of the text", config.text_dim, kWidest);
  check("width of the pooled text", config.pooled_dim, kWidest);
}

}  // namespace

Config infer_config(const std::vector<weights::WeightSpec>& tensors, const std::string& where) {
  const Shapes shapes(tensors, where);
  const auto& patch = shapes.at("img_in.proj.weight", 5);  // [M, C, pt, p, p]
  Config config{};
  config.channels = patch[1];
  config.patch_size_t = patch[2];
  config.patch_size = patch[3];
  config.num_double_blocks = shapes.depth("double_blocks.");
  config.num_single_blocks = shapes.depth("single_blocks.");
  config.num_refiner_blocks = shapes.depth("txt_in.individual_token_refiner.blocks.");
  const bool has_double = config.num_double_blocks > 0;
  config.head_dim = shapes.at(
      has_double ? "double_blocks.0.img_attn_q_norm.weight" : "single_blocks.0.q_norm.weight",
      1)[0];
  config.embeds_guidance = shapes.has("guidance_in.mlp.0.weight");
  config.text_dim = shapes.at("txt_in.input_embedder.weight", 2)[1];
  config.pooled_dim = shapes.at("vector_in.in_layer.weight", 2)[1];
  config.rope_theta = kPublishedTheta;
  config.rope_axes = kPublishedAxes;
  if (config.head_dim != kPublishedHeadDim) {
    fail<WeightError>(where, ": RoPE axes are unknown for this head dim: got ", config.head_dim,
                      ", want ", kPublishedHeadDim,
                      "; put diffusers' config.json of this model beside the file");
  }
  if (patch[0] % config.head_dim != 0) {
    fail<WeightError>(where, ": img_in.proj.weight: width is not a multiple of the head dim: got ",
                      patch[0], ", want a multiple of ", config.head_dim);
  }
  config.num_heads = patch[0] / config.head_dim;
  config.mlp_width = has_double ? shapes.at("double_blocks.0.img_mlp.fc1.weight", 2)[0]
                                : shapes.at("single_blocks.0.linear1.weight", 2)[0] - 3 * patch[0];
  check_sizes(config, where);
  const int64_t out_features = shapes.at("final_layer.linear.weight", 2)[0];
  if (out_features != config.patch_elements()) {
    fail<WeightError>(where, ": not a text-to-video model: final_layer.linear.weight: got ",
                      out_features, " features, want ", config.patch_elements(),
                      " as many as img_in reads");
  }
  return config;
}

}  // namespace reel::dit
