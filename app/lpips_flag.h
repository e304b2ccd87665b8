// --lpips: the weights of a measure that only some users have.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <optional>

#include "app/parsed_flags.h"
#include "eval/lpips.h"

namespace reel::app {

/// The file of --lpips; none if the flag is not given. Adds a problem if there is no such file.
std::optional<std::filesystem::path> lpips_file(const ParsedFlags& flags, Problems& problems);

/// Reads it; none if there is none. Throws WeightError.
std::optional<eval::Lpips> open_lpips(const std::optional<std::filesystem::path>& file,
                                      at::Device device = at::kCPU);

}  // namespace reel::app
