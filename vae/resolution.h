// Where along its four blocks the VAE changes its resolution: three times in space, twice in time.
#pragma once

#include <cstdint>

#include "vae/config.h"

namespace reel::vae {

/// By how much one block multiplies (decoder) or divides (encoder) the resolution.
struct ScaleFactor {
  int64_t time = 1;
  int64_t space = 1;

  constexpr bool changes_size() const { return time != 1 || space != 1; }
  friend constexpr bool operator==(const ScaleFactor&, const ScaleFactor&) = default;
};

/// The factor behind block `block`: space in all but the last block, time in the two before the
/// last. The decoder and the encoder follow the same rule, each in its own order of blocks
/// (spec/hunyuanvideo.md 5.3, 5.4).
constexpr ScaleFactor block_factor(int64_t block) {
  const bool last = block == kNumBlocks - 1;
  return {.time = !last && block >= kNumBlocks - 3 ? 2 : 1, .space = last ? 1 : 2};
}

}  // namespace reel::vae
