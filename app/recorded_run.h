// What a video tells about the run that made it, turned back into what the user asked for then.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/json_reader.h"
#include "media/encoder_plan.h"
#include "pipeline/generation_request.h"
#include "pipeline/run_report.h"

namespace reel::app {

/// A run as its metadata describes it (docs/FORMATS.md).
struct RecordedRun {
  nlohmann::json metadata;
  pipeline::RequestOptions options;  ///< with the kind of device, its dtype and its threads
  double guidance = 0;               ///< not among the options: some models take none
  media::EncoderOptions encoder;
  std::string schedule_hash;
  std::string noise_sha256;
  std::string latents_sha256;
  bool used_noise_file = false;  ///< its noise did not come from the seed
};

/// Reads an MP4's comment, or a sidecar (.json). Throws ConfigError "<file>: ..." for a file that
/// is no video, holds no metadata of ours or those of a newer format, or in which a value is
/// missing or of another type (with its JSON path).
RecordedRun read_recorded_run(const std::filesystem::path& file);

/// What differs between the program, model and device that made the run and those of now, a line
/// each, for people: "weights transformer/...: was ..., is ...".
std::vector<std::string> differences_of_origin(const nlohmann::json& metadata,
                                               const pipeline::RunIdentity& identity,
                                               const nlohmann::json& program);

// Parts of metadata, as the flags that they stand for. Each throws ConfigError with the JSON path
// of a value that is missing or of another type.

media::EncoderOptions recorded_encoder(const JsonReader& metadata);
pipeline::VaeTilingOptions recorded_tiling(const JsonReader& metadata);

/// --device as a kind, cpu or cuda; --dtype; --threads; --offload, which older files lack.
pipeline::ComputeOptions recorded_compute(const JsonReader& metadata);

/// The frame rate of a request's JSON as --fps reads it.
std::string frame_rate_of(const nlohmann::json& fps);

}  // namespace reel::app
