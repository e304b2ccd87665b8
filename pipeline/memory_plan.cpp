#include "pipeline/memory_plan.h"

#include <c10/core/ScalarType.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "dit/block_places.h"
#include "dit/block_stream.h"
#include "dit/weight_table.h"
#include "text_encoder/llama.h"
#include "vae/resolution.h"
#include "vae/weight_table.h"

namespace reel::pipeline {
namespace {

// What LibTorch's pools hold beside tensors, measured on an H200 (docs/MEMORY.md).
constexpr int64_t kActivationsPerRounding = 7;
// cuBLAS keeps this for each handle and stream.
constexpr int64_t kBlasWorkspaceBytes = int64_t{32} << 20;
// The program with LibTorch and what it reads of them, threads included.
constexpr int64_t kProgramBytes = 400'000'000;
// Two pieces of 16 MiB for each of eight threads that read weights.
constexpr int64_t kPinnedLoadBytes = int64_t{256} << 20;
// Scores of a sparse call go through a workspace of at most this size.
constexpr int64_t kScoreBytes = int64_t{1} << 30;

int64_t bytes_of(at::ScalarType dtype) {
  return static_cast<int64_t>(c10::elementSize(dtype));
}

int64_t encoder_weight_bytes(const ModelSizes& models, const ComputeChoice& compute) {
  return (text_encoder::llama_table(models.llama).num_parameters() +
          text_encoder::clip_text_table(models.clip_text).num_parameters()) *
         bytes_of(compute.dtype);
}

int64_t offloaded_bytes(const dit::Config& config, const ComputeChoice& compute) {
  if (compute.offload != Offload::kBlocks) return 0;
  return dit::total_block_bytes(dit::block_places(config, bytes_of(compute.dtype)));
}

// On the device, slots of offloaded blocks included.
int64_t transformer_weight_bytes(const dit::Config& config, const ComputeChoice& compute) {
  const int64_t all = dit::weight_table(config).num_parameters() * bytes_of(compute.dtype);
  if (compute.offload != Offload::kBlocks) return all;
  const auto places = dit::block_places(config, bytes_of(compute.dtype));
  return std::max<int64_t>(all - dit::total_block_bytes(places), 0) +
         dit::kBlockSlots * dit::largest_block_bytes(places);
}

// The template's tokens and the prompt's; the largest tensors of one layer.
int64_t text_activation_bytes(const text_encoder::LlamaConfig& llama, at::ScalarType dtype) {
  constexpr int64_t kTokens = 351;
  const int64_t per_token = 8 * llama.hidden_size + 3 * llama.intermediate_size;
  return kTokens * (per_token * bytes_of(dtype) + llama.num_heads * kTokens * 4);
}

// The residual stream and dit::Workspace, the rotation's table, and the fp32 latents that a step
// has at once: noise, latents, velocity, those of a negative prompt, copies between formats.
int64_t denoise_activation_bytes(const dit::Config& config, const MemoryInputs& inputs) {
  constexpr int64_t kLatentCopies = 6;
  const int64_t width = config.width();
  const int64_t per_token = width + width + 3 * width + (width + config.mlp_width);
  const int64_t tokens = inputs.geometry.max_tokens();
  const auto& latents = inputs.geometry.latents;
  const int64_t rope = inputs.geometry.num_image_tokens * config.head_dim * 4;
  return tokens * per_token * bytes_of(inputs.compute.dtype) + rope +
         kLatentCopies * config.channels * latents.frames * latents.rows * latents.columns * 4;
}

// A call's output lies beside the buffers; a sparse call's scores are gone by then, its lists not.
int64_t attention_bytes(const dit::Config& config, const MemoryInputs& inputs) {
  const int64_t tokens = inputs.geometry.max_tokens();
  const int64_t output =
      tokens * config.width() * bytes_of(inputs.compute.dtype) + tokens * config.num_heads * 4;
  if (!inputs.sparse) return output;
  const int64_t blocks = inputs.geometry.max_blocks(inputs.block);
  const int64_t cells = config.num_heads * blocks * blocks;
  const bool on_gpu = inputs.compute.device.is_cuda();
  // Heads are scored in even parts that stay below the workspace's size.
  const int64_t all_scores = cells * (inputs.block / inputs.stride) * 4;
  const int64_t scores =
      on_gpu ? all_scores / ((all_scores + kScoreBytes - 1) / kScoreBytes) : cells * 4;
  const int64_t lists = on_gpu ? cells * 2 + cells / 8 : cells * 4 + cells;
  return std::max(output, scores) + lists;
}

int64_t longest(const std::vector<vae::Window>& windows) {
  int64_t size = 0;
  for (const auto& window : windows) size = std::max(size, window.size());
  return size;
}

// Follows the decoder's tensors of one tile through its blocks.
class TileWalk {
 public:
  // `fused`: the normalised copy is written with its padding at once.
  TileWalk(int64_t frames, int64_t rows, int64_t columns, int64_t element_size, bool fused)
      : frames_(frames),
        rows_(rows),
        columns_(columns),
        element_size_(element_size),
        fused_(fused) {}

  // The shortcut of a block that changes its width is there from the beginning.
  void resnet(int64_t in, int64_t out) {
    const int64_t kept = tensor(in) + (in == out ? 0 : tensor(out));
    see(kept + normed(in) + tensor(out));
    see(kept + tensor(out) + normed(out) + tensor(out));
  }

  void upsample(int64_t channels, int64_t time, int64_t space) {
    const int64_t before = tensor(channels) + (fused_ ? padded(channels) : 0);
    if (time > 1) frames_ = 2 * frames_ - 1;
    rows_ *= space;
    columns_ *= space;
    // Unless folded: the larger input in two parts, then its padded copy.
    const int64_t larger = fused_ ? 0 : tensor(channels) + padded(channels);
    see(before + larger + tensor(channels));
  }

  void attend(int64_t channels) { see(7 * tensor(channels)); }

  int64_t peak() const { return peak_; }

 private:
  int64_t tensor(int64_t channels) const {
    return channels * frames_ * rows_ * columns_ * element_size_;
  }
  int64_t padded(int64_t channels) const {
    return channels * (frames_ + 2) * (rows_ + 2) * (columns_ + 2) * element_size_;
  }
  int64_t normed(int64_t channels) const {
    return padded(channels) + (fused_ ? 0 : tensor(channels));
  }
  void see(int64_t bytes) { peak_ = std::max(peak_, bytes); }

  int64_t frames_, rows_, columns_;
  int64_t element_size_;
  bool fused_;
  int64_t peak_ = 0;
};

int64_t tile_bytes(const vae::Config& config, const vae::TilePlan& plan,
                   const ComputeChoice& compute) {
  TileWalk walk(longest(plan.time.windows), longest(plan.rows.windows),
                longest(plan.columns.windows), bytes_of(compute.vae_dtype),
                /*fused=*/compute.device.is_cpu() == (compute.vae_dtype == at::kFloat));
  int64_t in = config.block_channels.back();
  walk.resnet(in, in);
  if (config.mid_attention) walk.attend(in);
  for (int64_t i = 0; i < vae::kNumBlocks; ++i) {
    const int64_t out = config.block_channels.at(static_cast<size_t>(vae::kNumBlocks - 1 - i));
    walk.resnet(in, out);
    if (config.layers_per_block > 0) walk.resnet(out, out);
    if (const auto factor = vae::block_factor(i); factor.changes_size()) {
      walk.upsample(out, factor.time, factor.space);
    }
    in = out;
  }
  return walk.peak();
}

}  // namespace

int64_t decode_activation_bytes(const vae::Config& config, const vae::TilePlan& plan,
                                const ComputeChoice& compute) {
  const int64_t height = plan.rows.windows.back().end * vae::kSpatialRatio;
  const int64_t width = plan.columns.windows.back().end * vae::kSpatialRatio;
  const int64_t frame = 3 * 4 * height * width;  // fp32
  const int64_t frames = vae::num_video_frames(longest(plan.time.windows));
  const bool joins = plan.rows.tiled() || plan.columns.tiled();
  const int64_t joined = joins ? frames * frame : 0;
  const int64_t strip = plan.time.tiled() ? plan.time.blend * vae::kTemporalRatio * frame : 0;
  // While finished frames are converted, no tile is there but the frames it gave.
  const int64_t converting = frames * frame + strip + 3 * frames * frame;
  return std::max(tile_bytes(config, plan, compute) + joined + strip, converting);
}

MemoryPlan plan_memory(const ModelSizes& models, const MemoryInputs& inputs) {
  const auto& compute = inputs.compute;
  const bool on_gpu = compute.device.is_cuda();
  const int64_t transformer = transformer_weight_bytes(models.transformer, compute);
  const int64_t decoder =
      vae::decoder_table(models.vae).num_parameters() * bytes_of(compute.vae_dtype);
  const bool together = compute.offload != Offload::kModels;
  MemoryPlan plan;
  plan.stages = {{.stage = "text",
                  .weight_bytes = encoder_weight_bytes(models, compute),
                  .activation_bytes = text_activation_bytes(models.llama, compute.dtype)},
                 {.stage = "denoise",
                  .weight_bytes = transformer + (together ? decoder : 0),
                  .activation_bytes = denoise_activation_bytes(models.transformer, inputs),
                  .workspace_bytes = attention_bytes(models.transformer, inputs)},
                 {.stage = "decode",
                  .weight_bytes = decoder + (together ? transformer : 0),
                  .activation_bytes = decode_activation_bytes(models.vae, inputs.tiles, compute)}};
  if (on_gpu) {
    for (auto& stage : plan.stages) stage.workspace_bytes += kBlasWorkspaceBytes;
    const auto& most = plan.largest();
    plan.rounding_bytes = (most.activation_bytes + most.workspace_bytes) / kActivationsPerRounding;
  }
  plan.program_bytes = on_gpu ? kCudaBytes : kProgramBytes;
  plan.host_bytes =
      on_gpu ? kPinnedLoadBytes + offloaded_bytes(models.transformer, compute) + kProgramBytes : 0;
  return plan;
}

const StageMemory& MemoryPlan::largest() const {
  return *std::max_element(stages.begin(), stages.end(), [](const auto& a, const auto& b) {
    return a.tensor_bytes() < b.tensor_bytes();
  });
}

int64_t MemoryPlan::peak_tensor_bytes() const {
  return largest().tensor_bytes();
}

std::string gigabytes_text(int64_t bytes) {
  constexpr double kGigabyte = 1e9;
  return fmt::format("{:.2f} GB", static_cast<double>(bytes) / kGigabyte);
}

std::string memory_text(const MemoryPlan& plan) {
  std::string text;
  for (const auto& stage : plan.stages) {
    text +=
        fmt::format("  {:<16} {:>9}  {} weights, {} activations, {} workspace\n", stage.stage,
                    gigabytes_text(stage.tensor_bytes()), gigabytes_text(stage.weight_bytes),
                    gigabytes_text(stage.activation_bytes), gigabytes_text(stage.workspace_bytes));
  }
  text += fmt::format("  {:<16} {:>9}  {} allocator, {} program\n", "beside tensors",
                      gigabytes_text(plan.rounding_bytes + plan.program_bytes),
                      gigabytes_text(plan.rounding_bytes), gigabytes_text(plan.program_bytes));
  if (plan.host_bytes > 0) {
    text += fmt::format("  {:<16} {:>9}\n", "on the host", gigabytes_text(plan.host_bytes));
  }
  return text;
}

nlohmann::json memory_json(const MemoryPlan& plan) {
  nlohmann::json stages = nlohmann::json::array();
  for (const auto& stage : plan.stages) {
    stages.push_back({{"stage", stage.stage},
                      {"weights", stage.weight_bytes},
                      {"activations", stage.activation_bytes},
                      {"workspace", stage.workspace_bytes}});
  }
  return {{"stages", std::move(stages)},     {"peak_tensors", plan.peak_tensor_bytes()},
          {"rounding", plan.rounding_bytes}, {"program", plan.program_bytes},
          {"need", plan.need_bytes()},       {"host", plan.host_bytes}};
}

}  // namespace reel::pipeline
