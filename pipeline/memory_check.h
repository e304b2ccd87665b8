// Makes a run fit the memory that is there, and refuses work that cannot fit, before anything is
// loaded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipeline/generation_request.h"
#include "pipeline/memory_plan.h"
#include "weights/model_folder.h"

namespace reel::pipeline {

/// The sizes of all models, from their configs. Throws WeightError.
ModelSizes read_model_sizes(const weights::ModelFolder& folder);

/// The plan of `request` as it is.
MemoryPlan plan_memory(const ModelSizes& models, const GenerationRequest& request);

/// Bytes that can be taken now, below --max-vram.
struct FreeMemory {
  int64_t device = 0;
  int64_t host = 0;
};

/// What a run with this choice may take.
FreeMemory free_memory(const ComputeChoice& compute);

/// True if `plan` fits.
bool fits(const MemoryPlan& plan, const FreeMemory& free);

/// Replaces offload kAuto by the first of none, models and blocks that fits, and where even the
/// last does not, automatic tiles by smaller ones that do. If nothing fits: blocks, and the
/// smallest tiles. What the user chose stays. Returns lines for the user about tiles that became
/// smaller.
std::vector<std::string> settle_memory(const ModelSizes& models, const FreeMemory& free,
                                       GenerationRequest& request);

/// The same with what `folder` holds and what is free now. Throws WeightError.
std::vector<std::string> settle_memory(const weights::ModelFolder& folder,
                                       GenerationRequest& request);

/// What settle_memory() makes of kAuto for requests that share one loaded model: the most that any
/// of them needs. Requests that do not ask for kAuto keep theirs. Throws WeightError.
Offload settle_offload(const weights::ModelFolder& folder,
                       const std::vector<GenerationRequest>& requests);

/// Throws OutOfMemory, with what is needed, what there is and which flag helps, if `plan` of
/// `request` does not fit.
void check_memory(const GenerationRequest& request, const MemoryPlan& plan, const FreeMemory& free);

/// The same with what `folder` holds and what is free now. Throws WeightError.
void check_memory(const GenerationRequest& request, const weights::ModelFolder& folder);

/// "--offload blocks, fewer frames or a smaller size": what may help where memory was short in
/// "text", "denoise" or "decode".
std::string memory_advice(const ComputeChoice& compute, const std::string& stage);

}  // namespace reel::pipeline
