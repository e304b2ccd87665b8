// A whole clip by a model of HunyuanVideo's size on one GPU, dense and sparse: what every stage
// takes, of which time and memory. benchmarks/peers/full_video.py measures diffusers beside it.
//
// All weights are random and drawn on the device. A few denoising steps are measured and
// extrapolated to --steps, of which --dense-steps are dense. Sparse steps score and select, and
// attend to the plan that the synthetic mixture of queries and keys has at --density, because
// random weights have no attention pattern to find. What a random decoder makes is noise, which no
// encoder is made for: while it decodes, the encoder is given a panning picture instead.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstdio>

#include "benchmarks/drawn_vae.h"
#include "benchmarks/full_video_models.h"
#include "benchmarks/full_video_report.h"
#include "benchmarks/panning_clip.h"
#include "benchmarks/scratch_folder.h"
#include "benchmarks/timed_runs.h"
#include "benchmarks/timed_sink.h"
#include "core/device.h"
#include "core/error.h"
#include "core/stopwatch.h"
#include "core/torch_error.h"
#include "media/mp4_writer.h"
#include "pipeline/decode_retrying.h"
#include "pipeline/device_facts.h"
#include "pipeline/gpu_facts.h"
#include "pipeline/loaded_models.h"

namespace reel::benchmarks {
namespace {

using pipeline::Offload;

struct Flags {
  StepShape shape;
  std::string device = "auto";
  Offload offload = Offload::kNone;
  double max_vram = 0;
  double density = 0.344;
  int64_t stride = 8;
  std::vector<std::string> modes = {"dense", "given", "given:e4m3"};
  int repeats = 1;
  int64_t steps = 50;
  int64_t dense_steps = 5;
  bool text = true;
  bool vae = true;
  bool encode = true;
  bool encode_decoded = false;
  std::string json;
};

class Warnings : public pipeline::Progress {
 public:
  void warn(const std::string& line) override { std::fprintf(stderr, "%s\n", line.c_str()); }
};

class FullVideo {
 public:
  explicit FullVideo(const Flags& flags) : flags_(flags), sizes_(full_video_sizes(flags.shape)) {
    figures_.shape = flags.shape;
    figures_.density = flags.density;
    figures_.repeats = flags.repeats;
    figures_.num_steps = flags.steps;
    figures_.num_dense_steps = flags.dense_steps;
    auto& compute = figures_.compute;
    compute.device = parse_device(flags.device);
    compute.dtype = at::kBFloat16;
    compute.vae_dtype = compute.device.is_cuda() ? at::kHalf : at::kFloat;
    compute.threads = num_usable_cores();
    compute.offload = flags.offload;
    compute.max_vram_bytes = static_cast<int64_t>(flags.max_vram * 1e9);
    figures_.plan = pipeline::plan_memory(sizes_, memory_inputs());
  }

  void run() {
    std::printf("memory plan, offload %s:\n%s\n", pipeline::offload_name(compute().offload).c_str(),
                pipeline::memory_text(figures_.plan).c_str());
    std::fflush(stdout);
    pipeline::start_peak(compute().device);  // the allocator knows no device before its first use
    pipeline::limit_device_memory(compute().device, compute().max_vram_bytes);
    if (flags_.text) encode_text();
    if (!flags_.modes.empty()) denoise();
    if (flags_.vae) decode();
    std::printf("\n%s", table_text(figures_).c_str());
    write_report(flags_.json, to_json(figures_));
    if (figures_.any_failed()) fail<OutputError>("a stage failed");
  }

 private:
  const pipeline::ComputeChoice& compute() const { return figures_.compute; }

  pipeline::MemoryInputs memory_inputs() const {
    pipeline::MemoryInputs inputs;
    inputs.geometry =
        pipeline::latent_geometry({flags_.shape.frames, flags_.shape.height, flags_.shape.width});
    inputs.compute = compute();
    inputs.tiles = pipeline::plan_vae_tiles({}, inputs.geometry.latents);
    inputs.sparse =
        std::ranges::any_of(flags_.modes, [](const auto& mode) { return mode != "dense"; });
    inputs.stride = flags_.stride;
    return inputs;
  }

  // Memory counts from here on.
  void start_stage() const {
    synchronize(compute().device);
    release_freed_memory(compute().device);
    pipeline::start_peak(compute().device);
  }

  // Runs `measure`, which returns figures; what fails is noted, and the other stages go on.
  template <typename Measure>
  void attempt(const std::string& name, const std::string& planned, const Measure& measure) {
    StageFigures stage;
    stage.name = name;
    stage.planned = planned;
    try {
      start_stage();
      try {
        measure(stage);
      } catch (...) {
        rethrow_as_ours();
      }
      if (compute().device.is_cuda()) {
        const auto gpu = pipeline::gpu_facts().at(static_cast<size_t>(compute().device.index()));
        stage.device_bytes = gpu.total_bytes - gpu.free_bytes;
      }
    } catch (const std::exception& error) {
      stage.failure = error.what();
    }
    stage.peak = pipeline::read_peak(name, compute().device);
    std::printf("%s\n", stage_text(stage).c_str());
    std::fflush(stdout);
    figures_.stages.push_back(std::move(stage));
    write_report(flags_.json, to_json(figures_));  // what was measured stays if the program ends
  }

  // The first run warms up. The encoders are gone afterwards.
  void encode_text() {
    attempt("text", "text", [&](StageFigures& stage) {
      const DrawnEncoders encoders(sizes_, compute());
      for (int i = 0; i < 2; ++i) {
        synchronize(compute().device);
        const Stopwatch watch;
        encoders.encode(flags_.shape.text_tokens);
        synchronize(compute().device);
        stage.seconds = watch.elapsed_ms() * 1e-3;
      }
    });
  }

  void denoise() {
    const auto& config = sizes_.transformer;
    at::Tensor plan;
    dit::Inputs inputs;
    const auto fresh = [&](const std::string& mode) {
      return attention_of(mode, config, /*tau=*/0.9, flags_.stride, plan);
    };
    attempt("load and warm up", "denoise", [&](StageFigures& stage) {
      const Stopwatch watch;
      plan = mixture_plan(flags_.shape, config, flags_.density, flags_.stride, compute().device);
      inputs = draw_inputs(flags_.shape, config, compute().device);
      models_.make_room_for_transformer(compute());
      models_.transformer.emplace(draw_transformer(config, compute()));
      auto warm_up = fresh("given");
      measure_step(*models_.transformer, inputs, flags_.shape, warm_up);
      stage.seconds = watch.elapsed_ms() * 1e-3;
    });
    if (!models_.transformer) return;
    for (const auto& mode : flags_.modes) {
      attempt("step, " + mode, "denoise", [&](StageFigures& stage) {
        std::vector<MeasuredStep> runs;
        for (int i = 0; i < flags_.repeats; ++i) {
          auto attention = fresh(mode);
          runs.push_back(measure_step(*models_.transformer, inputs, flags_.shape, attention));
        }
        std::ranges::sort(runs, {}, &MeasuredStep::step_ms);
        stage.step = runs[runs.size() / 2];
        stage.seconds = stage.step->step_ms * 1e-3;
      });
    }
  }

  // The first time cold, as a program that renders one clip does it.
  void decode() {
    models_.make_room_for_decoder(compute());
    const auto latents = memory_inputs().geometry.latents;
    const at::Tensor z =
        at::randn({1, sizes_.vae.latent_channels, latents.frames, latents.rows, latents.columns},
                  at::TensorOptions(at::kFloat).device(compute().device));
    attempt("decode", "decode", [&](StageFigures& stage) {
      models_.decoder.emplace(draw_decoder(sizes_.vae, compute().device, compute().vae_dtype));
      TimedSink sink(nullptr, {});
      decode_into(z, [&](bool /*again*/) { return &sink; }, stage);
    });
    if (!flags_.encode || !models_.decoder) return;
    const ScratchFolder folder;
    const std::filesystem::path file = folder / "clip.mp4";
    const auto& shape = flags_.shape;
    const auto encoder = media::plan_encoder({}, shape.width, shape.height);
    at::Tensor pictures;
    if (!flags_.encode_decoded) pictures = panning_clip(shape.frames, shape.height, shape.width);
    attempt("decode and encode", "decode", [&](StageFigures& stage) {
      std::optional<media::Mp4Writer> writer;
      std::optional<TimedSink> sink;
      const auto open = [&](bool /*again*/) {
        writer.emplace(file, IfExists::kReplace,
                       media::VideoFormat{shape.width, shape.height, media::FrameRate{24, 1}},
                       encoder);
        return &sink.emplace(&*writer, pictures);
      };
      decode_into(z, open, stage);
      figures_.encode = EncodeFigures{sink->busy_seconds(),
                                      static_cast<int64_t>(std::filesystem::file_size(file)),
                                      encoder.encoder, encoder.preset, encoder.crf};
    });
  }

  // Latents to 8-bit frames on the host, in the last sink that `open` gave.
  void decode_into(const at::Tensor& z, const std::function<TimedSink*(bool)>& open,
                   StageFigures& stage) {
    TimedSink* last = nullptr;
    Warnings progress;
    const at::Tensor latents = z * sizes_.vae.scaling_factor;
    synchronize(compute().device);
    const Stopwatch watch;
    pipeline::decode_retrying(
        *models_.decoder, latents, {}, [&](bool again) { return last = open(again); }, progress,
        pipeline::StopRequest());
    last->finish();
    synchronize(compute().device);
    stage.seconds = watch.elapsed_ms() * 1e-3;
    if (last->num_frames() != flags_.shape.frames) {
      fail<OutputError>("got ", last->num_frames(), " frames, want ", flags_.shape.frames);
    }
  }

  Flags flags_;
  pipeline::ModelSizes sizes_;
  pipeline::LoadedModels models_;
  FullVideoFigures figures_;
};

int run(int argc, char** argv) {
  const std::map<std::string, Offload> offloads = {
      {"none", Offload::kNone}, {"models", Offload::kModels}, {"blocks", Offload::kBlocks}};
  Flags flags;
  CLI::App app("A whole 13B-shaped clip on a GPU, stage by stage");
  add_shape_flags(app, flags.shape);
  app.add_option("--device", flags.device, "auto, cuda, cuda:N, or cpu to try small shapes");
  app.add_option("--offload", flags.offload, "what waits in host memory: none, models or blocks")
      ->transform(CLI::CheckedTransformer(offloads));
  app.add_option("--max-vram", flags.max_vram, "GB that may be taken of the GPU; 0: all")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--density", flags.density, "of the given plan")->check(CLI::Range(0.0, 1.0));
  app.add_option("--stride", flags.stride, "4, 8 or 16");
  app.add_option("--modes", flags.modes,
                 "of dense, given, selected, cudnn; given:e4m3 and selected:e4m3 score in 8 bits")
      ->delimiter(',');
  app.add_option("--repeats", flags.repeats, "measured steps of each mode")
      ->check(CLI::PositiveNumber);
  app.add_option("--steps", flags.steps, "of the whole clip, extrapolated")
      ->check(CLI::PositiveNumber);
  app.add_option("--dense-steps", flags.dense_steps, "of them before sparse ones")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("!--no-text", flags.text, "leave out the text encoders");
  app.add_flag("!--no-vae", flags.vae, "leave out decoding, and so encoding");
  app.add_flag("!--no-encode", flags.encode, "leave out encoding");
  app.add_flag("--encode-decoded", flags.encode_decoded,
               "encode what the random decoder makes, not a panning picture");
  app.add_option("--json", flags.json, "file for all figures");
  return run_program("full_video", app, argc, argv, [&] { FullVideo(flags).run(); });
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::run(argc, argv);
}
