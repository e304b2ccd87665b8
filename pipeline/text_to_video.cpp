#include "pipeline/text_to_video.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <nlohmann/json.hpp>

#include "core/torch_error.h"
#include "media/frame_rate.h"
#include "media/mp4_writer.h"
#include "pipeline/callback_progress.h"
#include "pipeline/generate.h"
#include "pipeline/known_model.h"
#include "pipeline/memory_check.h"
#include "pipeline/version.h"

namespace reel::pipeline {
namespace {

// A folder's own defects come as WeightError, wrong options as ConfigError.
template <typename Work>
auto with_our_errors(const Work& work) {
  try {
    return work();
  } catch (...) {
    rethrow_as_ours();
  }
}

// LibTorch's number of threads is one of the caller's process, and as it was afterwards.
class ThreadCount {
 public:
  explicit ThreadCount(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~ThreadCount() { at::set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

// A callback is told as long as its render lasts.
class CallbackScope {
 public:
  CallbackScope(CallbackProgress& progress, const ProgressCallback& callback)
      : progress_(progress) {
    progress_.set_callback(callback);
  }
  ~CallbackScope() { progress_.set_callback({}); }
  CallbackScope(const CallbackScope&) = delete;
  CallbackScope& operator=(const CallbackScope&) = delete;

 private:
  CallbackProgress& progress_;
};

class FrameCollector : public media::FrameSink {
 public:
  void write(const at::Tensor& frames) override { chunks_.push_back(frames.clone()); }
  void finish() override {}
  at::Tensor frames() const { return at::cat(chunks_); }

 private:
  std::vector<at::Tensor> chunks_;
};

ComputeChoice compute_of(const ComputeOptions& options) {
  Problems problems;
  const auto choice = choose_compute(options, problems);
  problems.throw_if_any<ConfigError>("compute");
  return *choice;
}

std::string text_of(const nlohmann::json& metadata) {
  // Folder names need not be UTF-8.
  return metadata.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// One clip into one sink.
class ClipIntoSink : public ClipOutputs {
 public:
  // `encoder` is what metadata says about it; `before_finish` gets the metadata.
  ClipIntoSink(const GenerationRequest& request, media::FrameSink& sink, nlohmann::json encoder,
               std::function<void(const std::string&)> before_finish = {})
      : request_(request),
        sink_(sink),
        encoder_(std::move(encoder)),
        before_finish_(std::move(before_finish)) {}

  void keep_latents(size_t, const at::Tensor&) override {}
  media::FrameSink& frames(size_t) override { return sink_; }
  void complete(size_t, const RunIdentity& identity, const ClipReport& report) override {
    metadata = text_of(metadata_json(request_, identity, report, program_json(), encoder_));
    if (before_finish_) before_finish_(metadata);
    sink_.finish();
  }

  std::string metadata;

 private:
  const GenerationRequest& request_;
  media::FrameSink& sink_;
  nlohmann::json encoder_;
  std::function<void(const std::string&)> before_finish_;
};

}  // namespace

struct TextToVideo::State {
  State(const std::filesystem::path& folder, const ComputeOptions& options, TextEncoders encoders)
      : compute_options(options),
        compute(compute_of(options)),
        model(read_known_model(folder, {})),
        keeps_encoders(encoders == TextEncoders::kKeep),
        renderer(new_renderer()) {}

  // The whole request and what its schedule adjusted; adds every problem.
  GenerationRequest request_of(const ClipOptions& clip, Problems& problems,
                               std::vector<std::string>* notes = nullptr) const {
    RequestOptions options;
    static_cast<ClipOptions&>(options) = clip;
    options.compute = compute_options;
    auto request = make_request(options, model.defaults, model.facts, problems);
    const auto schedule = plan_attention(request, model.facts, problems);
    check_frame_rate(request.frame_rate, problems);
    if (schedule && notes != nullptr) *notes = schedule->notes();
    request.compute = compute;
    return request;
  }

  void run(const GenerationRequest& request, const std::vector<std::string>& notes,
           ClipOutputs& outputs, const ProgressCallback& callback) {
    const ThreadCount threads(compute.threads);
    const CallbackScope scope(progress, callback);
    for (const auto& note : notes) progress.warn(note);
    // What is loaded already is no longer among the free memory.
    GenerationRequest settled = request;
    if (!has_loaded) {
      for (const auto& note : settle_memory(model.folder, settled)) progress.warn(note);
      check_memory(settled, model.folder);
      compute.offload = settled.compute.offload;
      renderer = new_renderer();
      has_loaded = true;
    }
    settled.compute = compute;
    generate(settled, *renderer, outputs);
  }

  std::unique_ptr<Renderer> new_renderer() {
    auto made = std::make_unique<Renderer>(model.folder, compute, progress, stop);
    if (keeps_encoders) made->keep_text_encoders();
    return made;
  }

  ComputeOptions compute_options;
  ComputeChoice compute;
  KnownModel model;
  CallbackProgress progress;
  StopRequest stop;  // never asked: the callback cancels
  bool keeps_encoders;
  std::unique_ptr<Renderer> renderer;  // made again when the first clip has decided on offloading
  bool has_loaded = false;
};

TextToVideo::TextToVideo(const std::filesystem::path& model, const ComputeOptions& compute,
                         TextEncoders encoders)
    : state_(with_our_errors([&] { return std::make_unique<State>(model, compute, encoders); })) {}

TextToVideo::~TextToVideo() = default;
TextToVideo::TextToVideo(TextToVideo&& other) noexcept = default;
TextToVideo& TextToVideo::operator=(TextToVideo&& other) noexcept = default;

void TextToVideo::check(const ClipOptions& clip) const {
  Problems problems;
  state_->request_of(clip, problems);
  problems.throw_if_any<ConfigError>("request");
}

RenderedClip TextToVideo::render(const ClipOptions& clip, const ProgressCallback& progress) {
  FrameCollector collector;
  std::string metadata = render(clip, collector, progress);
  return {with_our_errors([&] { return collector.frames(); }), std::move(metadata)};
}

std::string TextToVideo::render(const ClipOptions& clip, media::FrameSink& sink,
                                const ProgressCallback& progress) {
  Problems problems;
  std::vector<std::string> notes;
  const auto request = state_->request_of(clip, problems, &notes);
  problems.throw_if_any<ConfigError>("request");
  ClipIntoSink outputs(request, sink, nullptr);
  return with_our_errors([&] {
    state_->run(request, notes, outputs, progress);
    return outputs.metadata;
  });
}

std::string TextToVideo::render_mp4(const ClipOptions& clip, const std::filesystem::path& file,
                                    const ProgressCallback& progress, const Mp4Options& options) {
  Problems problems;
  std::vector<std::string> notes;
  const auto request = state_->request_of(clip, problems, &notes);
  problems.throw_if_any<ConfigError>("request");
  const auto& size = request.size;
  const auto plan = media::plan_encoder(options.encoder, size.width, size.height);
  media::Mp4Writer writer(file, options.if_exists,
                          {.width = size.width,
                           .height = size.height,
                           .rate = media::parse_frame_rate(request.frame_rate)},
                          plan);
  ClipIntoSink outputs(request, writer, encoder_json(plan),
                       [&](const std::string& metadata) { writer.set_comment(metadata); });
  return with_our_errors([&] {
    state_->run(request, notes, outputs, progress);
    return outputs.metadata;
  });
}

}  // namespace reel::pipeline
