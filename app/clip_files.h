// Writes the files of finished clips.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "app/console.h"
#include "app/output_plan.h"
#include "app/progress.h"
#include "media/encoder_plan.h"
#include "media/mp4_writer.h"
#include "media/png_sequence_writer.h"
#include "media/tee_sink.h"
#include "pipeline/clip_outputs.h"

namespace reel::app {

/// The outputs of one run. The video is the last file of a clip to get its name.
class ClipFiles : public pipeline::ClipOutputs {
 public:
  /// All arguments must outlive this.
  ClipFiles(const pipeline::GenerationRequest& request, const OutputPlan& plan,
            const media::EncoderPlan& encoder, RunProgress& progress);

  void keep_latents(size_t clip, const at::Tensor& latents) override;
  media::FrameSink& frames(size_t clip) override;
  void complete(size_t clip, const pipeline::RunIdentity& identity,
                const pipeline::ClipReport& report) override;

  /// Metadata of the clips from here on also holds `job` under "job": what a batch knows about it.
  void set_job(nlohmann::json job) { job_ = std::move(job); }

  /// The metadata of the last clip that was completed.
  const nlohmann::json& metadata() const { return metadata_; }

  /// After a failure: writes the latents of a clip that was denoised but not completed, unless they
  /// lie on the disk already. Returns where they lie, or none if there are none.
  std::optional<std::filesystem::path> rescue_latents();

 private:
  void write_json(const std::optional<std::filesystem::path>& file, const nlohmann::json& json);

  const pipeline::GenerationRequest& request_;
  const OutputPlan& plan_;
  const media::EncoderPlan& encoder_;
  RunProgress& progress_;
  std::unique_ptr<media::PngSequenceWriter> png_;
  std::unique_ptr<media::Mp4Writer> video_;
  std::unique_ptr<media::TeeSink> sinks_;
  at::Tensor latents_;  // of the clip in the making; undefined before they are there
  size_t clip_ = 0;
  nlohmann::json job_;       // null: none
  nlohmann::json metadata_;  // of the last completed clip
};

/// Rescues latents and tells where they are; if even that fails, the failure before it is the one
/// that counts.
void rescue(ClipFiles& files, Console& console);

/// What the encoder was told, for metadata.
nlohmann::json encoder_json(const media::EncoderPlan& encoder);

}  // namespace reel::app
