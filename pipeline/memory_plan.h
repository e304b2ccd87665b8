// How much memory a run needs, stage by stage, from sizes alone: known before anything is loaded
// (docs/MEMORY.md).
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "dit/config.h"
#include "pipeline/compute_choice.h"
#include "pipeline/latent_geometry.h"
#include "text_encoder/clip_text.h"
#include "text_encoder/llama_config.h"
#include "vae/config.h"
#include "vae/tile_plan.h"

namespace reel::pipeline {

/// What CUDA and its libraries take of a GPU beside LibTorch's pools, as measured
/// (docs/MEMORY.md).
inline constexpr int64_t kCudaBytes = 900'000'000;

/// The sizes of all models of a folder.
struct ModelSizes {
  dit::Config transformer;
  vae::Config vae;
  text_encoder::LlamaConfig llama;
  text_encoder::ClipTextConfig clip_text;
};

/// What decides about memory beside the models.
struct MemoryInputs {
  LatentGeometry geometry;
  ComputeChoice compute;  ///< offload kAuto counts as kNone
  vae::TilePlan tiles;
  bool sparse = false;  ///< some attention calls are
  int64_t block = 128;  ///< of sparse calls
  int64_t stride = 8;
};

/// The largest moment of one stage, in bytes of the device that computes.
struct StageMemory {
  std::string stage;             ///< "text", "denoise" or "decode"
  int64_t weight_bytes = 0;      ///< of every model that is there then
  int64_t activation_bytes = 0;  ///< streams, buffers and tiles
  int64_t workspace_bytes = 0;   ///< attention's output, or the scores and lists of a sparse call

  int64_t tensor_bytes() const { return weight_bytes + activation_bytes + workspace_bytes; }
};

struct MemoryPlan {
  std::vector<StageMemory> stages;  ///< in their order
  int64_t rounding_bytes = 0;       ///< what LibTorch's allocator keeps beside tensors
  int64_t program_bytes = 0;        ///< CUDA's context and libraries; on a CPU the program itself
  int64_t host_bytes = 0;           ///< of a GPU run: pinned buffers and offloaded blocks

  /// What all tensors take at the largest moment: to be compared with the allocator's own figure.
  int64_t peak_tensor_bytes() const;

  /// What has to be free on the device.
  int64_t need_bytes() const { return peak_tensor_bytes() + rounding_bytes + program_bytes; }

  /// The stage of peak_tensor_bytes().
  const StageMemory& largest() const;
};

/// What is counted is in docs/MEMORY.md.
MemoryPlan plan_memory(const ModelSizes& models, const MemoryInputs& inputs);

/// Bytes of the tensors that decode one tile of `plan` at their largest moment, the joined frames
/// and the strips of earlier tiles included.
int64_t decode_activation_bytes(const vae::Config& config, const vae::TilePlan& plan,
                                const ComputeChoice& compute);

/// A table for people, one stage a line, each line ended.
std::string memory_text(const MemoryPlan& plan);

/// {"stages": [{"stage", "weights", "activations", "workspace"}], "peak_tensors", "rounding",
/// "program", "need", "host"}, in bytes.
nlohmann::json memory_json(const MemoryPlan& plan);

/// "25.6 GB"
std::string gigabytes_text(int64_t bytes);

}  // namespace reel::pipeline
