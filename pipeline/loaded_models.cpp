#include "pipeline/loaded_models.h"

#include "core/device.h"

namespace reel::pipeline {

void LoadedModels::make_room_for_text_encoders(const ComputeChoice& compute) {
  if (compute.offload == Offload::kModels) {  // there if a prompt was to be encoded earlier
    transformer.reset();
    decoder.reset();
  }
  release_freed_memory(compute.device);
}

void LoadedModels::make_room_for_transformer(const ComputeChoice& compute) {
  if (compute.offload == Offload::kModels) {
    text_encoders.reset();
    decoder.reset();
  }
  release_freed_memory(compute.device);
}

void LoadedModels::make_room_for_decoder(const ComputeChoice& compute) {
  if (compute.offload != Offload::kModels) return;
  text_encoders.reset();
  transformer.reset();
  release_freed_memory(compute.device);
}

}  // namespace reel::pipeline
