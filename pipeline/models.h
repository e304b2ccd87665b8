// Loads the parts of a model folder: config, weight table, published layout, weights, model.
#pragma once

#include <functional>
#include <string>

#include "dit/transformer.h"
#include "text_encoder/clip_text.h"
#include "text_encoder/llama.h"
#include "text_encoder/text_conditioner.h"
#include "vae/decoder.h"
#include "vae/encoder.h"
#include "weights/load_weights.h"
#include "weights/model_folder.h"

namespace reel::pipeline {

/// The transformer's sizes, from its config.json or, for an official file without one, from its
/// tensors. Throws WeightError.
dit::Config read_transformer_config(const weights::ModelFolder& folder);

/// The VAE's sizes. Throws WeightError.
vae::Config read_vae_config(const weights::ModelFolder& folder);

/// The text encoders' sizes. Throw WeightError.
text_encoder::LlamaConfig read_llama_config(const weights::ModelFolder& folder);
text_encoder::ClipTextConfig read_clip_text_config(const weights::ModelFolder& folder);

/// The flow shift that the folder's scheduler asks for, or the published 7 if it has no scheduler.
double read_flow_shift(const weights::ModelFolder& folder);

/// One part of a model folder, looked at without reading any weights.
struct PartCheck {
  std::string name;
  uint64_t bytes = 0;          ///< of its weight files
  int64_t num_parameters = 0;  ///< that are used
  std::string problem;         ///< one line or several; empty if nothing is wrong
  bool is_missing = false;     ///< the problem is that a file of it is not there
};

/// Checks configs, the names and shapes of all tensors of the transformer, the VAE's decoder and
/// both text encoders, and the tokenizers. Parts whose files are missing have that as their
/// problem.
std::vector<PartCheck> check_models(const weights::ModelFolder& folder);

// Each loads one model onto `device` in `dtype`; `progress` may be null. Throws WeightError with
// every missing, extra or ill-shaped tensor.

dit::Transformer load_transformer(const weights::ModelFolder& folder, at::Device device,
                                  at::ScalarType dtype, const weights::LoadProgress& progress);

/// The same with the blocks in host memory, from which they go to `device` when they are due.
dit::Transformer load_streamed_transformer(const weights::ModelFolder& folder, at::Device device,
                                           at::ScalarType dtype,
                                           const weights::LoadProgress& progress);

vae::Decoder load_decoder(const weights::ModelFolder& folder, at::Device device,
                          at::ScalarType dtype, const weights::LoadProgress& progress);

vae::Encoder load_encoder(const weights::ModelFolder& folder, at::Device device,
                          at::ScalarType dtype, const weights::LoadProgress& progress);

text_encoder::Llama load_llama(const weights::ModelFolder& folder, at::Device device,
                               at::ScalarType dtype, const weights::LoadProgress& progress);

text_encoder::ClipText load_clip_text(const weights::ModelFolder& folder, at::Device device,
                                      at::ScalarType dtype, const weights::LoadProgress& progress);

/// Both encoders and both tokenizers.
text_encoder::TextConditioner load_text_conditioner(const weights::ModelFolder& folder,
                                                    at::Device device, at::ScalarType dtype,
                                                    const weights::LoadProgress& progress);

}  // namespace reel::pipeline
