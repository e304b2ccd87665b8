// What a user may say about one clip. Public (docs/LIBRARY.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "attention/schedule_options.h"

namespace reel::pipeline {

/// The flags --vae-tiling and --vae-tile as given.
struct VaeTilingOptions {
  std::string mode = "auto";        ///< auto, on or off
  std::optional<std::string> tile;  ///< official, diffusers or SIZE:STRIDE:FRAMES:FRAME_STRIDE
};

/// The flags of one clip as given, each named as its member is; what is empty was not: the model
/// folder's default holds then, else the built-in one (docs/CLI.md).
struct ClipOptions {
  std::optional<std::string> prompt;  ///< UTF-8
  std::optional<std::string> negative_prompt;
  std::string prompt_template = "auto";          ///< auto, video or image
  std::optional<int64_t> width, height, frames;  ///< W, H multiples of 16; F = 4k + 1
  std::optional<int64_t> steps;
  std::string seed = "42";  ///< a number from 0 to 2^64 - 1, or "random"
  std::optional<double> guidance, cfg_scale, flow_shift;
  std::optional<std::string> frame_rate;            ///< per second: "24", "23.976", "24000/1001"
  std::optional<std::filesystem::path> noise_file;  ///< --latents
  std::optional<std::string> attention_mode, dense_steps;
  std::optional<double> tau;
  std::optional<int64_t> stride, block;
  attention::ScheduleOptions attention;  ///< the flags that no model folder sets a default for
  VaeTilingOptions vae_tiling;
};

}  // namespace reel::pipeline
