// How long jobs take, from those that are done.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <vector>

#include "batch/job.h"
#include "batch/run_folder.h"

namespace reel::batch {

/// The size of a job for estimates: image tokens x transformer passes. Attention grows faster than
/// that, so estimates are good between jobs of like sizes.
double work_of(const pipeline::GenerationRequest& request);

/// Seconds that a unit of work took.
struct Pace {
  double seconds_per_work = 0;
  size_t num_videos = 0;  ///< that it was measured on
};

/// The median over the sidecars of done jobs, loading not counted; none if there is none.
std::optional<Pace> measured_pace(const RunFolder& folder, const std::vector<Job>& jobs);

/// That of one clip, from its MP4 or sidecar. Throws ConfigError if it holds no times of ours.
Pace pace_of_file(const std::filesystem::path& file);

}  // namespace reel::batch
