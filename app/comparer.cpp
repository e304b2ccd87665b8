#include "app/comparer.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <memory>

#include "app/clip_files.h"
#include "app/lpips_flag.h"
#include "app/signals.h"
#include "media/tee_sink.h"
#include "pipeline/memory_check.h"

namespace reel::app {
namespace {

// Keeps the frames of the dense clip, before any encoder touches them.
class FrameKeeper : public media::FrameSink {
 public:
  void write(const at::Tensor& frames) override { chunks_.push_back(frames.clone()); }
  void finish() override {}
  at::Tensor frames() const { return at::cat(chunks_); }

 private:
  std::vector<at::Tensor> chunks_;
};

// Compares frames with those of the dense clip as they come.
class FrameComparer : public media::FrameSink {
 public:
  FrameComparer(const at::Tensor& reference, const eval::Lpips* lpips)
      : reference_(reference), comparison_(lpips) {}

  void write(const at::Tensor& frames) override {
    const int64_t end = num_frames_ + frames.size(0);
    comparison_.add(reference_.slice(0, num_frames_, end), frames);
    num_frames_ = end;
  }
  void finish() override {}
  const eval::ClipMetrics& metrics() const { return comparison_.metrics(); }

 private:
  const at::Tensor& reference_;
  int64_t num_frames_ = 0;
  eval::ClipComparison comparison_;
};

// The files of a clip, if any, with a second reader of its frames.
class WatchedClip : public pipeline::ClipOutputs {
 public:
  WatchedClip(ClipFiles* files, media::FrameSink& watcher) : files_(files), watcher_(watcher) {}

  void keep_latents(size_t clip, const at::Tensor& latents) override {
    if (files_ != nullptr) files_->keep_latents(clip, latents);
  }
  media::FrameSink& frames(size_t clip) override {
    if (files_ == nullptr) return watcher_;
    both_ = std::make_unique<media::TeeSink>(
        std::vector<media::FrameSink*>{&files_->frames(clip), &watcher_});
    return *both_;
  }
  void complete(size_t clip, const pipeline::RunIdentity& identity,
                const pipeline::ClipReport& clip_report) override {
    if (files_ != nullptr) files_->complete(clip, identity, clip_report);
    report = clip_report;
  }

  pipeline::ClipReport report;

 private:
  ClipFiles* files_;
  media::FrameSink& watcher_;
  std::unique_ptr<media::TeeSink> both_;
};

OutputPlan outputs_of(const ComparePlan& plan, size_t prompt, const CompareSetting& setting) {
  const auto video = plan.folder / plan.video(prompt, setting);
  auto latents = video;
  OutputPlan outputs;
  outputs.folders = {video.parent_path()};
  outputs.clips = {{.video = video,
                    .latents = latents.replace_extension(".latents.safetensors"),
                    .frames_png = {},
                    .density_json = plan.folder / "density" / setting.file_name /
                                    fmt::format("{:04}.json", prompt + 1),
                    .perf_json = {},
                    .recall_json = {},
                    .sidecar = {}}};
  outputs.folders.push_back(outputs.clips[0].density_json->parent_path());
  outputs.if_exists = plan.if_exists;
  return outputs;
}

}  // namespace

Comparer::Comparer(const ComparePlan& plan, RunProgress& progress, Console& console)
    : plan_(plan),
      progress_(progress),
      console_(console),
      stop_(watch_signals()),
      lpips_(open_lpips(plan.lpips_file, plan.settings.front().requests.front().compute.device)),
      renderer_(plan.model, plan.settings.front().requests.front().compute, progress, stop_) {
  if (lpips_) {
    result_.lpips_net = lpips_->net();
  } else {
    console_.info("LPIPS is not measured: --lpips wants a file that tools/export_lpips.py made");
  }
  for (const auto& setting : plan_.settings) {
    pipeline::check_memory(setting.requests.front(), plan_.model);
    result_.settings.push_back({setting.name, {}});
  }
  for (const auto& request : plan_.settings.front().requests) {
    texts_.push_back(renderer_.encode(request));
  }
}

at::Tensor Comparer::render_dense(size_t prompt) {
  FrameKeeper keeper;
  add(prompt, 0, keeper);
  return keeper.frames();
}

void Comparer::render_noise_floor(size_t prompt, const at::Tensor& dense) {
  console_.info("dense again, for the noise floor");
  FrameComparer floor(dense, lpips());
  WatchedClip outputs(nullptr, floor);
  renderer_.render(plan_.settings[0].requests[prompt], 0, texts_[prompt], outputs);
  result_.noise_floor = floor.metrics();
}

void Comparer::render_sparse(size_t prompt, size_t setting, const at::Tensor& dense) {
  FrameComparer comparer(dense, lpips());
  add(prompt, setting, comparer).metrics = comparer.metrics();
}

// Renders a clip and adds it to its setting.
eval::ComparedClip& Comparer::add(size_t prompt, size_t index, media::FrameSink& watcher) {
  const auto& setting = plan_.settings[index];
  const auto& request = setting.requests[prompt];
  console_.info(fmt::format("prompt {} of {}, {}", prompt + 1, plan_.prompts.size(), setting.name));
  const OutputPlan outputs = outputs_of(plan_, prompt, setting);
  make_output_folders(outputs);
  ClipFiles files(request, outputs, plan_.encoder, progress_);
  WatchedClip clip(&files, watcher);
  renderer_.render(request, 0, texts_[prompt], clip);
  auto& clips = result_.settings[index].clips;
  clips.push_back({plan_.prompts[prompt], plan_.video(prompt, setting).string(),
                   std::move(clip.report), std::nullopt});
  return clips.back();
}

std::string write_comparison(const ComparePlan& plan, const eval::Comparison& result) {
  const std::string json =
      result.to_json().dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  write_output(plan.folder / "compare.json", plan.if_exists, json);
  return json;
}

}  // namespace reel::app
