// The shape of a HunyuanVideo VAE, read from vae/config.json of either published layout.
#pragma once

#include <cstdint>
#include <vector>

#include "core/json_reader.h"

namespace reel::vae {

/// Pixels a latent row or column stands for.
inline constexpr int64_t kSpatialRatio = 8;
/// Video frames a latent frame stands for; the first one stands for a single frame.
inline constexpr int64_t kTemporalRatio = 4;
/// Blocks of the encoder and of the decoder: three of them change the resolution.
inline constexpr int64_t kNumBlocks = 4;
inline constexpr int64_t kImageChannels = 3;
inline constexpr double kGroupNormEpsilon = 1e-6;

/// What the published configs may choose; everything else of the family is fixed
/// (spec/hunyuanvideo.md 5.1).
struct Config {
  int64_t latent_channels = 0;
  std::vector<int64_t> block_channels;  ///< kNumBlocks widths, from pixels to latents
  int64_t layers_per_block = 0;         ///< residual blocks each (the decoder has one more)
  int64_t num_groups = 0;               ///< of every group normalisation; divides every width
  bool mid_attention = false;
  double scaling_factor = 0.0;  ///< the DiT's latents are the VAE's times this; there is no shift

  /// Reads AutoencoderKLHunyuanVideo (diffusers) or AutoencoderKLCausal3D (official).
  /// Throws the owner's error for another class, a missing or unknown key, or a value outside
  /// this family (other ratios, channel counts, block types, activations).
  static Config read(const JsonReader& json);
};

/// Video frames that `num_latent_frames` latent frames decode to.
constexpr int64_t num_video_frames(int64_t num_latent_frames) {
  return (num_latent_frames - 1) * kTemporalRatio + 1;
}

/// Latent frames that `num_frames` video frames are encoded to.
constexpr int64_t num_latent_frames(int64_t num_frames) {
  return (num_frames - 1) / kTemporalRatio + 1;
}

}  // namespace reel::vae
