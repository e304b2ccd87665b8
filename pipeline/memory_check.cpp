#include "pipeline/memory_check.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "pipeline/device_facts.h"
#include "pipeline/models.h"

namespace reel::pipeline {
namespace {

bool tries_smaller_tiles(const GenerationRequest& request) {
  return request.vae_tiling.mode == VaeTiling::Mode::kAuto;
}

// The first that fits; kBlocks if none does.
Offload first_that_fits(const ModelSizes& models, const FreeMemory& free,
                        GenerationRequest request) {
  for (const Offload offload : {Offload::kNone, Offload::kModels}) {
    request.compute.offload = offload;
    if (fits(plan_memory(models, request), free)) return offload;
  }
  return Offload::kBlocks;
}

std::string limit_text(const ComputeChoice& compute, const FreeMemory& free) {
  if (compute.max_vram_bytes > 0 && compute.max_vram_bytes == free.device) {
    return "--max-vram allows " + gigabytes_text(free.device);
  }
  return "have " + gigabytes_text(free.device);
}

}  // namespace

ModelSizes read_model_sizes(const weights::ModelFolder& folder) {
  return {read_transformer_config(folder), read_vae_config(folder), read_llama_config(folder),
          read_clip_text_config(folder)};
}

MemoryPlan plan_memory(const ModelSizes& models, const GenerationRequest& request) {
  const auto geometry = request.geometry();
  return plan_memory(models, {.geometry = geometry,
                              .compute = request.compute,
                              .tiles = plan_vae_tiles(request.vae_tiling, geometry.latents),
                              .sparse = request.attention.mode != "dense",
                              .block = request.attention.block,
                              .stride = request.attention.stride});
}

FreeMemory free_memory(const ComputeChoice& compute) {
  FreeMemory free = {free_bytes(compute.device), free_bytes(at::Device(at::kCPU))};
  if (compute.max_vram_bytes > 0) free.device = std::min(free.device, compute.max_vram_bytes);
  return free;
}

bool fits(const MemoryPlan& plan, const FreeMemory& free) {
  return plan.need_bytes() <= free.device && plan.host_bytes <= free.host;
}

std::vector<std::string> settle_memory(const ModelSizes& models, const FreeMemory& free,
                                       GenerationRequest& request) {
  if (request.compute.offload == Offload::kAuto) {
    request.compute.offload = first_that_fits(models, free, request);
  }
  if (!tries_smaller_tiles(request)) return {};
  const auto plan = plan_memory(models, request);
  if (fits(plan, free) || plan.largest().stage != "decode") return {};
  for (const auto& tiling : smaller_tilings(request.vae_tiling, request.geometry().latents)) {
    request.vae_tiling = tiling;
    if (fits(plan_memory(models, request), free)) break;
  }
  if (tries_smaller_tiles(request)) return {};
  return {"too little memory is free for the usual VAE tiles: --vae-tile " +
          vae_tiling_text(request.vae_tiling) + " is used"};
}

std::vector<std::string> settle_memory(const weights::ModelFolder& folder,
                                       GenerationRequest& request) {
  return settle_memory(read_model_sizes(folder), free_memory(request.compute), request);
}

Offload settle_offload(const weights::ModelFolder& folder,
                       const std::vector<GenerationRequest>& requests) {
  if (requests.empty()) return Offload::kNone;
  Offload most = requests.front().compute.offload;
  if (most != Offload::kAuto) return most;
  const auto models = read_model_sizes(folder);
  const auto free = free_memory(requests.front().compute);
  most = Offload::kNone;
  for (const auto& request : requests) {
    most = std::max(most, first_that_fits(models, free, request));
  }
  return most;
}

void check_memory(const GenerationRequest& request, const MemoryPlan& plan,
                  const FreeMemory& free) {
  if (plan.host_bytes > free.host) {
    fail<OutOfMemory>("memory: too little is free on the host: have ", gigabytes_text(free.host),
                      ", need ", gigabytes_text(plan.host_bytes), " beside the GPU",
                      request.compute.offload == Offload::kBlocks ? "; try --offload models" : "");
  }
  if (plan.need_bytes() <= free.device) return;
  const auto& most = plan.largest();
  fail<OutOfMemory>("memory: too little is free on ", request.compute.device.str(), ": ",
                    limit_text(request.compute, free), ", need ", gigabytes_text(plan.need_bytes()),
                    " (", most.stage, ": ", gigabytes_text(most.weight_bytes), " weights, ",
                    gigabytes_text(most.activation_bytes + most.workspace_bytes), " activations; ",
                    gigabytes_text(plan.rounding_bytes + plan.program_bytes),
                    " allocator and program); try ", memory_advice(request.compute, most.stage));
}

void check_memory(const GenerationRequest& request, const weights::ModelFolder& folder) {
  check_memory(request, plan_memory(read_model_sizes(folder), request),
               free_memory(request.compute));
}

std::string memory_advice(const ComputeChoice& compute, const std::string& stage) {
  std::string advice;
  const bool helps = stage != "decode" || compute.offload != Offload::kModels;
  if (compute.device.is_cuda() && compute.offload != Offload::kBlocks && helps) {
    advice += "--offload blocks, ";
  }
  if (stage == "decode") advice += "--vae-tile 128:96:16:12, ";
  if (stage != "text") return advice + "fewer frames or a smaller size";
  if (compute.device.is_cpu() && compute.dtype == at::kFloat) return advice + "--dtype bf16";
  return advice + "a machine with more memory";
}

}  // namespace reel::pipeline
