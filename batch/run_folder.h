// The folder of a batch: which files lie where, and which videos in it are done.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "batch/job.h"

namespace reel::batch {

/// What lies under the name of a job's video.
enum class VideoState {
  kMissing,
  kDone,     ///< complete, and its hash is the job's
  kOther,    ///< complete and of a batch, with another hash: made with other settings
  kBroken,   ///< not a whole MP4
  kForeign,  ///< complete, but no batch made it
};

/// videos/ holds videos only; beside it lie meta/*.json, latents/, cache/, report.json,
/// events.jsonl, run.json and jobs.lock.
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path videos() const { return root_ / "videos"; }
  std::filesystem::path video(const Job& job) const { return videos() / job.video; }
  std::filesystem::path sidecar(const Job& job) const;
  std::filesystem::path latents(const Job& job) const;
  std::filesystem::path state_file(const Job& job) const;
  std::filesystem::path text_cache() const { return root_ / "cache" / "text"; }
  std::filesystem::path report() const { return root_ / "report.json"; }
  std::filesystem::path events() const { return root_ / "events.jsonl"; }
  std::filesystem::path lock() const { return root_ / "jobs.lock"; }

  /// Removes the state of a job whose video is there, and its latents unless they are to be kept:
  /// its process may have ended before it did so.
  void remove_rest(const Job& job, bool keeps_latents) const;

  /// Makes the folder and those in it. Throws ConfigError.
  void make() const;

  /// The date of {date} in names: that of the folder's first run, kept in run.json, else today's.
  std::string date() const;

  /// Writes run.json unless it is there. Throws IoError.
  void keep_date(const std::string& date) const;

  /// Looks at the job's video and sidecar.
  VideoState state(const Job& job) const;

  /// Writes report.json or run.json, complete or not at all. Throws IoError.
  void write(const std::filesystem::path& file, const nlohmann::json& json) const;

  /// Removes what processes that died left unfinished. Only for a process that is alone in the
  /// folder.
  void remove_unfinished() const;

  /// Before the video of a job is replaced: what is said about the old one goes.
  void forget(const Job& job) const;

  /// Writes the sidecar of a finished video. Throws IoError.
  void put_sidecar(const Job& job, nlohmann::json metadata) const;

  /// Writes it again from the video's own metadata if it is missing or says something else.
  void mend_sidecar(const Job& job) const;

 private:
  std::filesystem::path root_;
};

/// The metadata in a video's comment; null if it has none.
nlohmann::json video_metadata(const std::filesystem::path& video);

}  // namespace reel::batch
