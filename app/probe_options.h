// The flags of `probe`, parsed and checked as far as the parser can.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "attention/schedule.h"
#include "pipeline/compute_choice.h"
#include "pipeline/vae_tiling.h"
#include "weights/model_folder.h"

namespace reel::app {

/// One stage to run alone (spec/cli-and-vbench.md 2.2). The parser has seen to it that the files
/// that the stage needs were named and that nothing lies at `out` unless it may be replaced.
struct ProbeOptions {
  std::string stage;                           ///< tokenize, encode, llama, ..., denoise
  std::optional<std::filesystem::path> model;  ///< not for schedule and xattn
  weights::PartPaths parts;                    ///< --dit --vae --text-encoder --clip
  std::optional<std::filesystem::path> in;     ///< not for schedule
  std::optional<std::filesystem::path> out;    ///< for all but tokenize and schedule
  bool overwrite = false;
  pipeline::ComputeChoice compute;  ///< --dtype given: both dtypes are that one
  int64_t steps = 50;
  double flow_shift = 7.0;
  double guidance = 6.0;
  bool guidance_given = false;
  attention::ScheduleOptions attention;  ///< dense, dense_steps 0 unless given
  pipeline::VaeTiling tiling;
  int64_t text_length = 0;  ///< xattn: how many of the last tokens are text
  bool causal = false;      ///< xattn
};

}  // namespace reel::app
