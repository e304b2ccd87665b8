// The Llama model that turns a prompt into text states for the transformer.
// B batch, S tokens, A heads, D head dim, M width (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "text_encoder/llama_config.h"
#include "weights/load_weights.h"
#include "weights/weight_store.h"
#include "weights/weight_table.h"

namespace reel::text_encoder {

/// The tensors of the layers that run, under their published names without prefix.
weights::WeightTable llama_table(const LlamaConfig& config);

/// What else a published file may hold: later layers, the final norm, the language-model head,
/// LLaVA's vision tower and projector.
weights::UnusedNames llama_unused_names(const LlamaConfig& config, const std::string& prefix);

/// Causal, with grouped queries; on the device and in the dtype of its weights.
class Llama {
 public:
  /// Takes every tensor of llama_table(config).
  Llama(const LlamaConfig& config, weights::WeightStore& store);

  /// The hidden states that the pipeline uses: what the last used layer gives, without the final
  /// norm (spec/hunyuanvideo.md 2.2). `ids` [B, S] int64 in [0, vocab_size) on any device, of which
  /// the first lengths[b] of row b are tokens and the rest is padding, which never runs. Returns
  /// [B, S, M]; rows at padding are zero. Throws ConfigError for an id outside the vocabulary.
  at::Tensor forward(const at::Tensor& ids, const std::vector<int64_t>& lengths) const;

  const LlamaConfig& config() const { return config_; }
  at::Device device() const { return embedding_.device(); }

 private:
  struct Layer {
    Layer(const LlamaConfig& config, weights::WeightStore& store, const std::string& stem);

    at::Tensor input_norm, post_norm;   // [M]
    at::Tensor query, key, value, out;  // [A D, M], [A_kv D, M], [A_kv D, M], [M, A D]
    at::Tensor gate, up, down;          // [I, M], [I, M], [M, I]
  };

  at::Tensor run_layer(const Layer& layer, const at::Tensor& x, const at::Tensor& cos,
                       const at::Tensor& sin) const;

  LlamaConfig config_;
  at::Tensor embedding_;  // [vocab_size, M]
  std::vector<Layer> layers_;
};

}  // namespace reel::text_encoder
