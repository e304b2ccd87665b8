// The CLIP text model that sums a prompt up in one vector for the transformer.
// B batch, S = 77 tokens, M width (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "core/json_reader.h"
#include "weights/load_weights.h"
#include "weights/weight_store.h"
#include "weights/weight_table.h"

namespace reel::text_encoder {

/// What decides the model's tensors and arithmetic (spec/hunyuanvideo.md 2.4).
struct ClipTextConfig {
  int64_t hidden_size = 0;  ///< M, also the width of the pooled vector
  int64_t intermediate_size = 0;
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t vocab_size = 0;
  int64_t max_tokens = 0;  ///< positions
  int64_t eos_id = 0;      ///< 2 stands for "the largest id in the row": a mistake of old configs
  double norm_epsilon = 0.0;

  /// Reads a CLIPTextModel's config, or the text part of a whole CLIP's. Throws the owner's error
  /// for another model or activation, or a width that the heads do not divide.
  static ClipTextConfig read(const JsonReader& json);
};

/// The model's tensors under their published names without "text_model.".
weights::WeightTable clip_text_table(const ClipTextConfig& config);

/// What else a published file may hold: position ids, the vision half, projections.
weights::UnusedNames clip_text_unused_names(const std::string& prefix);

/// What the model makes of a batch of prompts.
struct ClipTextOutput {
  at::Tensor last_hidden_state;  ///< [B, S, M], after the final norm
  at::Tensor pooled;             ///< [B, M]: the row of the first end-of-text token
};

/// Causal; on the device and in the dtype of its weights.
class ClipText {
 public:
  /// Takes every tensor of clip_text_table(config).
  ClipText(const ClipTextConfig& config, weights::WeightStore& store);

  /// `ids` [B, S] int64 in [0, vocab_size) with S at most max_tokens, on any device. Throws
  /// ConfigError for an id outside the vocabulary, or a row without end-of-text token.
  ClipTextOutput forward(const at::Tensor& ids) const;

  const ClipTextConfig& config() const { return config_; }

 private:
  // A linear layer or a layer norm.
  struct Affine {
    Affine(weights::WeightStore& store, const std::string& stem)
        : weight(store.take_weight(stem)), bias(store.take_bias(stem)) {}
    at::Tensor weight, bias;
  };
  struct Layer {
    Layer(weights::WeightStore& store, const std::string& stem);
    Affine norm_1, query, key, value, out, norm_2, fc_1, fc_2;
  };

  at::Tensor norm(const Affine& affine, const at::Tensor& x) const;
  at::Tensor run_layer(const Layer& layer, const at::Tensor& x) const;
  int64_t end_position(const at::Tensor& row) const;

  ClipTextConfig config_;
  at::Tensor token_embedding_;     // [vocab_size, M]
  at::Tensor position_embedding_;  // [max_tokens, M]
  std::vector<Layer> layers_;
  Affine final_norm_;
};

}  // namespace reel::text_encoder
