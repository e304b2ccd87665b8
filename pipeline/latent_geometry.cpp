#include "pipeline/latent_geometry.h"

#include <algorithm>

#include "vae/config.h"

namespace reel::pipeline {
namespace {

constexpr int64_t kPatch = 2;  // latent rows and columns a token covers
constexpr int64_t kMultiple = vae::kSpatialRatio * kPatch;  // of pixels
constexpr int64_t kLargestSide = 8192;
constexpr int64_t kMostFrames = 4001;

// Names the two neighbours of `value` in the sequence first, first + step, ...
std::string nearest(int64_t value, int64_t first, int64_t step) {
  const int64_t below = std::max(first, value - (value - first) % step);
  if (below >= value) return std::to_string(below);
  return std::to_string(below) + " or " + std::to_string(below + step);
}

void check_side(const char* flag, int64_t value, Problems& problems) {
  if (value < 1 || value > kLargestSide) {
    problems.add(flag, ": out of range: got ", value, ", want ", kMultiple, " to ", kLargestSide);
  } else if (value % kMultiple != 0) {
    problems.add(flag, ": not a multiple of ", kMultiple, ": got ", value, ", want ",
                 nearest(value, kMultiple, kMultiple));
  }
}

}  // namespace

void check_clip_size(const ClipSize& size, Problems& problems) {
  if (size.frames < 1 || size.frames > kMostFrames) {
    problems.add("--frames: out of range: got ", size.frames, ", want 1 to ", kMostFrames);
  } else if (size.frames % vae::kTemporalRatio != 1) {
    problems.add("--frames: not 4k + 1: got ", size.frames, ", want ",
                 nearest(size.frames, 1, vae::kTemporalRatio), " (the VAE compresses time by 4)");
  }
  check_side("--width", size.width, problems);
  check_side("--height", size.height, problems);
}

LatentGeometry latent_geometry(const ClipSize& size) {
  Problems problems;
  check_clip_size(size, problems);
  problems.throw_if_any<ConfigError>("request");
  LatentGeometry geometry;
  geometry.latents = {.frames = vae::num_latent_frames(size.frames),
                      .rows = size.height / vae::kSpatialRatio,
                      .columns = size.width / vae::kSpatialRatio};
  geometry.num_image_tokens = geometry.latents.frames * (geometry.latents.rows / kPatch) *
                              (geometry.latents.columns / kPatch);
  return geometry;
}

}  // namespace reel::pipeline
