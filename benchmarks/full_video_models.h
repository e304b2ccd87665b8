// The models of a whole HunyuanVideo-sized clip, with random weights drawn on the device.
#pragma once

#include <ATen/core/Tensor.h>

#include "benchmarks/drawn_step.h"
#include "dit/transformer.h"
#include "pipeline/compute_choice.h"
#include "pipeline/memory_plan.h"
#include "text_encoder/clip_text.h"
#include "text_encoder/llama.h"

namespace reel::benchmarks {

/// The published sizes, but for as many blocks of the transformer as `shape` says.
pipeline::ModelSizes full_video_sizes(const StepShape& shape);

/// Llama and CLIP.
class DrawnEncoders {
 public:
  DrawnEncoders(const pipeline::ModelSizes& sizes, const pipeline::ComputeChoice& compute);

  /// Encodes the template and a prompt of so many tokens, then CLIP's 77. Does not wait.
  void encode(int64_t prompt_tokens) const;

 private:
  text_encoder::Llama llama_;
  text_encoder::ClipText clip_;
};

/// With its blocks in host memory if `compute` offloads them.
dit::Transformer draw_transformer(const dit::Config& config,
                                  const pipeline::ComputeChoice& compute);

}  // namespace reel::benchmarks
