#include "app/comparer.h"

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <memory>

#include "app/clip_files.h"
#include "app/lpips_flag.h"
#include "app/signals.h"
#include "media/mp4_writer.h"
#include "media/tee_sink.h"
#include "pipeline/memory_check.h"
#include "report/comparison_page.h"

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

// The files of a clip, if any, with other readers of its frames.
class WatchedClip : public pipeline::ClipOutputs {
 public:
  WatchedClip(ClipFiles* files, std::vector<media::FrameSink*> watchers)
      : files_(files), watchers_(std::move(watchers)) {}

  void keep_latents(size_t clip, const at::Tensor& latents) override {
    if (files_ != nullptr) files_->keep_latents(clip, latents);
  }
  media::FrameSink& frames(size_t clip) override {
    auto sinks = watchers_;
    if (files_ != nullptr) sinks.push_back(&files_->frames(clip));
    all_ = std::make_unique<media::TeeSink>(std::move(sinks));
    return *all_;
  }
  void complete(size_t clip, const pipeline::RunIdentity& identity,
                const pipeline::ClipReport& clip_report) override {
    for (auto* watcher : watchers_) watcher->finish();
    if (files_ != nullptr) files_->complete(clip, identity, clip_report);
    report = clip_report;
  }

  pipeline::ClipReport report;

 private:
  ClipFiles* files_;
  std::vector<media::FrameSink*> watchers_;
  std::unique_ptr<media::TeeSink> all_;
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

// A copy of a clip's video for the report, if it needs one.
std::unique_ptr<media::Mp4Writer> open_preview(const ComparePlan& plan, size_t prompt,
                                               const CompareSetting& setting) {
  if (!plan.preview_encoder) return nullptr;
  const auto& request = setting.requests[prompt];
  const auto file = plan.folder / plan.preview(prompt, setting);
  OutputPlan folders;
  folders.folders = {file.parent_path()};
  make_output_folders(folders);
  const media::VideoFormat format = {.width = request.size.width,
                                     .height = request.size.height,
                                     .rate = media::parse_frame_rate(request.frame_rate)};
  return std::make_unique<media::Mp4Writer>(file, plan.if_exists, format, *plan.preview_encoder);
}

// What all clips of a comparison have in common, from the metadata of one.
nlohmann::json run_json(const nlohmann::json& metadata) {
  nlohmann::json run;
  for (const char* key : {"program", "request", "model", "device", "encoder"}) {
    run[key] = metadata[key];
  }
  for (const char* key : {"prompt", "seed", "tile_plan"}) run["request"].erase(key);
  return run;
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
  WatchedClip outputs(nullptr, {&floor});
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
  const auto preview = open_preview(plan_, prompt, setting);
  std::vector<media::FrameSink*> watchers = {&watcher};
  if (preview) watchers.push_back(preview.get());
  WatchedClip clip(&files, std::move(watchers));
  renderer_.render(request, 0, texts_[prompt], clip);
  if (result_.run.is_null()) result_.run = run_json(files.metadata());
  auto& clips = result_.settings[index].clips;
  clips.push_back({plan_.prompts[prompt], plan_.video(prompt, setting).string(),
                   preview ? plan_.preview(prompt, setting).string() : std::string(),
                   std::move(clip.report), std::nullopt});
  return clips.back();
}

std::string write_comparison(const ComparePlan& plan, const eval::Comparison& result) {
  const std::string json =
      result.to_json().dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  write_output(plan.folder / "compare.json", plan.if_exists, json);
  if (plan.writes_report) report::write_comparison_page(plan.folder, plan.if_exists, result);
  return json;
}

}  // namespace reel::app
