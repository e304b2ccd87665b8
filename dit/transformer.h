// The whole diffusion transformer: latents, timestep and text in, velocity out.
// Shape letters (docs/SHAPES.md): B batch, C channels, T h w the latent grid, L text tokens.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <vector>

#include "attention/attention.h"
#include "dit/block_context.h"
#include "dit/block_stream.h"
#include "dit/conditioning.h"
#include "dit/config.h"
#include "dit/double_block.h"
#include "dit/final_layer.h"
#include "dit/patch_embed.h"
#include "dit/single_block.h"
#include "dit/token_refiner.h"
#include "weights/weight_store.h"

namespace reel::dit {

/// One call of the transformer. All tensors lie on the model's device; floats of any dtype unless
/// one is named.
struct Inputs {
  at::Tensor latents;                   ///< [B, C, T, h, w]
  at::Tensor timestep;                  ///< [B] fp32, 0..1000
  std::optional<at::Tensor> guidance;   ///< [B] fp32, times 1000 (guidance_input); there exactly
                                        ///< when the model embeds guidance
  std::vector<at::Tensor> text_states;  ///< B tensors [L_b, D_text]: valid tokens only, at least 1
  at::Tensor text_pooled;               ///< [B, D_clip]
};

/// Immutable once built; runs in the dtype and on the device of its weights.
class Transformer {
 public:
  /// Takes every tensor of weight_table(config) out of `store`. If the blocks wait in host memory,
  /// the store has `streamed`'s slot_tensors() for theirs; one forward() runs at a time then.
  Transformer(const Config& config, weights::WeightStore& store,
              std::unique_ptr<BlockStream> streamed = nullptr);

  /// The flow's velocity [B, C, T, h, w], fp32. Throws ShapeError if the inputs do not fit the
  /// config. Does not synchronise with the device unless a sparse attention plan does.
  at::Tensor forward(const Inputs& inputs, const attention::StepAttention& attention) const;

  const Config& config() const { return config_; }
  at::Device device() const { return patch_embed_.options().device(); }
  at::ScalarType dtype() const;

 private:
  // Sample `b` of the batch: velocity [C, T, h, w].
  at::Tensor forward_sample(const Inputs& inputs, int64_t b, const Rope& rope,
                            const attention::StepAttention& attention) const;

  // All blocks, one after the other, on `tokens` [S, M].
  void run_blocks(const at::Tensor& tokens, const BlockContext& context) const;

  Config config_;
  std::unique_ptr<BlockStream> streamed_;  // null if the blocks are on the device
  PatchEmbed patch_embed_;
  Conditioning conditioning_;
  TokenRefiner refiner_;
  std::vector<DoubleBlock> double_blocks_;
  std::vector<SingleBlock> single_blocks_;
  FinalLayer final_layer_;
};

}  // namespace reel::dit
