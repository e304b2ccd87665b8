// Decoding and encoding by tiles: clips of any size in bounded memory.
// B batch, C latent channels, T h w latents, F H W frames and pixels (docs/SHAPES.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "vae/decoder.h"
#include "vae/encoder.h"
#include "vae/tile_plan.h"
#include "vae/tile_run.h"

namespace reel::vae {

/// Takes decoded frames [B, 3, f, H, W] fp32 in about [-1, 1], contiguous, on the decoder's device.
using FrameSink = std::function<void(const at::Tensor& frames)>;

/// Decodes z [B, C, T, h, w] (divided by the scaling factor, any float dtype and device) by `plan`,
/// which must be made for T, h and w, and hands the F frames to `sink` in order as soon as they are
/// final. Throws ConfigError if a tile is too large (check_tile_size), ShapeError if the plan is
/// for another size. `progress` may be null.
void decode_tiles(const Decoder& decoder, const at::Tensor& z, const TilePlan& plan,
                  const FrameSink& sink, const TileProgress& progress);

/// The same as one tensor [B, 3, F, H, W].
at::Tensor decode_to_tensor(const Decoder& decoder, const at::Tensor& z, const TilePlan& plan);

/// Encodes frames [B, 3, F, H, W] in [-1, 1] (F = 4 k + 1; H, W multiples of 8) by `plan`, which is
/// one for the latents' size. Throws as decode_tiles() does.
Posterior encode_tiles(const Encoder& encoder, const at::Tensor& frames, const TilePlan& plan);

}  // namespace reel::vae
