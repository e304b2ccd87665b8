// Jobs and videos of a few pixels, made without models.
#pragma once

#include <filesystem>
#include <string>

#include "batch/job.h"

namespace reel::testing {

/// A job of 16 x 16 pixels and one frame that is called `name`.mp4.
batch::Job small_job(size_t index, const std::string& name, uint64_t seed = 1);

/// Writes the video of `job` into `file`, with its metadata, which it returns.
nlohmann::json write_small_video(const batch::Job& job, const std::filesystem::path& file);

}  // namespace reel::testing
