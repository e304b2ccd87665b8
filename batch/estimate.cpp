#include "batch/estimate.h"

#include <algorithm>
#include <fstream>

#include "core/error.h"
#include "core/json_reader.h"
#include "core/strict_json.h"

namespace reel::batch {
namespace {

using nlohmann::json;

// Denoising and decoding; what is loaded once is no job's.
std::optional<double> seconds_of(const json& metadata) {
  if (!metadata.is_object() || !metadata.contains("timing_ms")) return std::nullopt;
  const json& timing = metadata["timing_ms"];
  double total = 0;
  for (const char* stage : {"denoise", "decode"}) {
    if (!timing.contains(stage) || !timing[stage].is_number()) return std::nullopt;
    total += timing[stage].get<double>();
  }
  return total / 1000;
}

}  // namespace

double work_of(const pipeline::GenerationRequest& request) {
  const double passes = request.uses_negative_prompt() ? 2 : 1;
  return static_cast<double>(request.geometry().num_image_tokens) *
         static_cast<double>(request.num_steps) * passes;
}

std::optional<Pace> measured_pace(const RunFolder& folder, const std::vector<Job>& jobs) {
  std::vector<double> paces;
  for (const auto& job : jobs) {
    std::ifstream stream(folder.sidecar(job), std::ios::binary);
    if (!stream) continue;
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    if (const auto seconds = seconds_of(try_strict_json(text).value_or(json()))) {
      paces.push_back(*seconds / work_of(job.request));
    }
  }
  if (paces.empty()) return std::nullopt;
  const auto middle = paces.begin() + static_cast<ptrdiff_t>(paces.size() / 2);
  std::nth_element(paces.begin(), middle, paces.end());
  return Pace{.seconds_per_work = *middle, .num_videos = paces.size()};
}

Pace pace_of_file(const std::filesystem::path& file) {
  json metadata = video_metadata(file);
  if (metadata.is_null()) {
    std::ifstream stream(file, std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    metadata = try_strict_json(text).value_or(json());
  }
  const auto seconds = seconds_of(metadata);
  if (!seconds || !metadata.contains("request")) {
    fail<ConfigError>(file.string(), ": holds no times: want a video or sidecar of SparseReel");
  }
  const auto made =
      JsonReader::parse(metadata.dump(), file.string(), JsonOwner::kUser).object("request");
  pipeline::GenerationRequest request;
  request.size = {.frames = made.integer("frames"),
                  .height = made.integer("height"),
                  .width = made.integer("width")};
  request.num_steps = made.integer("steps");
  if (made.has("cfg_scale")) request.cfg_scale = made.number("cfg_scale");
  const double work = work_of(request);
  if (!(work > 0)) fail<ConfigError>(file.string(), ": /request: size or steps are missing");
  return {.seconds_per_work = *seconds / work, .num_videos = 1};
}

}  // namespace reel::batch
