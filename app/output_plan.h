// Which files a run of `generate` will write: decided and checked before anything is loaded.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/output_file.h"
#include "core/problems.h"
#include "pipeline/generation_request.h"

namespace reel::app {

/// What becomes of the state or the latents that an earlier run of a clip left.
enum class Resume {
  kNever,       ///< none is looked for
  kIfSame,      ///< what was made with other settings is dropped (batch)
  kMustBeSame,  ///< it is refused, and so is a video made with other settings (generate --resume)
};

/// The output flags as given. Names may be templates.
struct OutputOptions {
  std::optional<std::string> output = {};
  std::optional<std::string> output_dir = {};
  std::optional<std::string> frames_png = {};
  bool save_latents = false;
  std::optional<std::string> latents_file = {};  ///< of --save-latents FILE
  std::optional<std::string> density_json = {};
  std::optional<std::string> perf_json = {};
  std::optional<std::string> recall_json = {};  ///< of --probe-recall
  bool overwrite = false;
  bool resume = false;
  int64_t checkpoint_every = 0;  ///< steps; 0: not given
};

/// The files of one clip.
struct ClipPaths {
  std::filesystem::path video;
  std::filesystem::path latents;     ///< stays with --save-latents; else a failed decode leaves it
  std::filesystem::path state = {};  ///< how far denoising came; empty: not kept
  std::optional<std::filesystem::path> frames_png;  ///< a folder
  std::optional<std::filesystem::path> density_json;
  std::optional<std::filesystem::path> perf_json;
  std::optional<std::filesystem::path> recall_json;
  std::optional<std::filesystem::path> sidecar;
};

struct OutputPlan {
  std::vector<std::filesystem::path> folders;  ///< to make if missing
  std::vector<ClipPaths> clips;                ///< one a seed of the request
  bool save_latents = false;
  IfExists if_exists = IfExists::kRefuse;
  Resume resume = Resume::kNever;
  int64_t checkpoint_every = 0;  ///< steps between states; 0: only when the run is asked to stop

  /// Paths of everything that will be written, in order.
  std::vector<std::filesystem::path> files() const;
};

/// Names every file. Adds every problem (no MP4 name, a name that several clips share, ...) to
/// `problems`. Looks at no file.
OutputPlan plan_outputs(const OutputOptions& options, const pipeline::GenerationRequest& request,
                        Problems& problems);

/// Adds a problem for every output that is there already or cannot be written. Leaves no trace.
void check_outputs(const OutputPlan& plan, Problems& problems);

/// Makes the missing folders. Throws ConfigError.
void make_output_folders(const OutputPlan& plan);

}  // namespace reel::app
