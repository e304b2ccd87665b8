// The models of a run that are loaded, and what of them leaves before the next one comes.
#pragma once

#include <optional>

#include "dit/transformer.h"
#include "pipeline/compute_choice.h"
#include "text_encoder/text_conditioner.h"
#include "vae/decoder.h"

namespace reel::pipeline {

/// With offload kModels each model is on the device during its own stage only; else they may stay
/// together. Freed memory goes back to the device before the next model comes.
struct LoadedModels {
  std::optional<text_encoder::TextConditioner> text_encoders;
  std::optional<dit::Transformer> transformer;
  std::optional<vae::Decoder> decoder;

  // Each is called before its model is loaded, or used if it is there.
  void make_room_for_text_encoders(const ComputeChoice& compute);
  void make_room_for_transformer(const ComputeChoice& compute);
  void make_room_for_decoder(const ComputeChoice& compute);
};

}  // namespace reel::pipeline
