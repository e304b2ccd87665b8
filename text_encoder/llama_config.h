// Sizes of the Llama text encoder, read from its config.json.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/json_reader.h"

namespace reel::text_encoder {

/// What decides the encoder's tensors and arithmetic (spec/hunyuanvideo.md 2.3).
struct LlamaConfig {
  int64_t hidden_size = 0;        ///< M
  int64_t intermediate_size = 0;  ///< of the gated MLP
  int64_t num_layers = 0;         ///< in the file
  int64_t num_heads = 0;          ///< A
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;  ///< D
  int64_t vocab_size = 0;
  double norm_epsilon = 0.0;
  double rope_theta = 0.0;

  /// Layers that run: the pipeline reads the third entry from the end of the hidden states, whose
  /// last entry stands behind the last layer. The others, and the final norm, are never loaded.
  int64_t num_used_layers() const { return num_layers - 2; }

  /// Reads a LlamaModel's or LlamaForCausalLM's config, or the text part of LLaVA's, as older and
  /// newer transformers write them. Throws the owner's error for another model, scaled RoPE,
  /// biases, another activation, fewer than three layers or heads that do not divide.
  static LlamaConfig read(const JsonReader& json);
};

}  // namespace reel::text_encoder
