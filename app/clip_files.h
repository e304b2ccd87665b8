// Writes the files of finished clips.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "app/console.h"
#include "app/output_plan.h"
#include "app/progress.h"
#include "app/video_files.h"
#include "media/encoder_plan.h"
#include "pipeline/clip_outputs.h"

namespace reel::app {

/// The outputs of one run. The video is the last file of a clip to get its name.
class ClipFiles : public pipeline::ClipOutputs {
 public:
  /// All arguments must outlive this.
  ClipFiles(const pipeline::GenerationRequest& request, const OutputPlan& plan,
            const media::EncoderPlan& encoder, RunProgress& progress);

  pipeline::EarlierWork earlier_work(size_t clip, const std::string& hash) override;
  bool wants_state(int64_t num_done, bool stopping) const override;
  void keep_latents(size_t clip, const at::Tensor& latents) override;
  void keep_state(size_t clip, pipeline::RunState state, const pipeline::RunIdentity& identity,
                  const pipeline::ClipReport& report) override;
  bool can_start_again(size_t /*clip*/) const override { return true; }
  media::FrameSink& frames(size_t clip) override;
  void complete(size_t clip, const pipeline::RunIdentity& identity,
                const pipeline::ClipReport& report) override;

  /// Metadata of the clips from here on also holds `job` under "job": what a batch knows about it.
  void set_job(nlohmann::json job) { job_ = std::move(job); }

  /// The metadata of the last clip that was completed.
  const nlohmann::json& metadata() const { return metadata_; }

  /// What a failure left of the clip in the making.
  struct Rest {
    std::filesystem::path file;
    bool finished = true;  ///< denoised to the end: to be decoded
    std::filesystem::path video;
  };

  /// After a failure: writes the latents of a clip that was denoised but not completed, unless they
  /// lie on the disk already. Returns where they lie, or the state, or none if nothing was kept.
  std::optional<Rest> rescue();

 private:
  void warn_about_threads(const pipeline::RunState& state);
  std::string other_settings(const pipeline::RunState& state, size_t clip) const;
  std::optional<pipeline::RunState> read_state(const std::filesystem::path& file, size_t clip,
                                               const std::string& hash);
  void remove_rest(const ClipPaths& paths);
  void write_json(const std::optional<std::filesystem::path>& file, const nlohmann::json& json);

  const pipeline::GenerationRequest& request_;
  const OutputPlan& plan_;
  const media::EncoderPlan& encoder_;
  RunProgress& progress_;
  std::unique_ptr<VideoFiles> video_;
  at::Tensor latents_;          // of the clip in the making; undefined before they are there
  std::filesystem::path kept_;  // its latents or its state on the disk; empty: none
  bool kept_is_finished_ = false;
  size_t clip_ = 0;
  std::set<size_t> told_;    // clips of which it was said what an earlier run left
  nlohmann::json job_;       // null: none
  nlohmann::json metadata_;  // of the last completed clip
};

/// Rescues what there is and tells where it lies and, by `how_to_go_on`, what to do with it; if
/// even that fails, the failure before it is the one that counts.
void rescue(ClipFiles& files, Console& console,
            const std::function<std::string(const ClipFiles::Rest&)>& how_to_go_on);

}  // namespace reel::app
