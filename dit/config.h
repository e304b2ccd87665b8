// The sizes of a HunyuanVideo text-to-video transformer, and where they come from.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/json_reader.h"
#include "weights/weight_table.h"

namespace reel::dit {

/// Everything that decides the transformer's shapes (spec/hunyuanvideo.md 1.1). Every value is
/// valid once one of the functions below has returned it.
struct Config {
  int64_t channels;            ///< C, of the latents going in and of the velocity coming out
  int64_t num_heads;           ///< A
  int64_t head_dim;            ///< D, the sum of rope_axes
  int64_t num_double_blocks;   ///< may be 0
  int64_t num_single_blocks;   ///< may be 0
  int64_t num_refiner_blocks;  ///< may be 0
  int64_t mlp_width;           ///< of double and single blocks; the refiner's is always 4 M
  int64_t patch_size_t;        ///< latent frames a token covers
  int64_t patch_size;          ///< latent rows, and columns, a token covers
  bool embeds_guidance;        ///< the guidance scale is an input of the model
  int64_t text_dim;            ///< width of text_states
  int64_t pooled_dim;          ///< width of text_pooled
  double rope_theta;
  std::array<int64_t, 3> rope_axes;  ///< dimensions of a head that turn with t, y, x; all even

  int64_t width() const { return num_heads * head_dim; }  ///< M
  int64_t refiner_mlp_width() const { return 4 * width(); }
  int64_t patch_elements() const { return channels * patch_size_t * patch_size * patch_size; }
  int64_t num_layers() const { return num_double_blocks + num_single_blocks; }

  bool operator==(const Config&) const = default;
};

/// Reads diffusers' transformer/config.json. Throws the owner's error for a missing, unknown or
/// ill-typed key, sizes that do not fit each other, or another member of the model family.
Config read_config(const JsonReader& json);

/// Derives the config from the official tensors' names and shapes, because the official .pt file
/// carries none. `where` names the file in errors. RoPE axes cannot be seen in shapes: they are the
/// published [16, 56, 56] for head dim 128. Throws WeightError for another head dim or if a tensor
/// that decides a size is missing.
Config infer_config(const std::vector<weights::WeightSpec>& tensors, const std::string& where);

}  // namespace reel::dit
