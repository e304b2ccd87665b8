// A whole clip by a model of HunyuanVideo's size on one GPU, dense and sparse: what every stage
// takes, of which time and memory. benchmarks/peers/full_video.py measures diffusers beside it.
//
// All weights are random and drawn on the GPU. A few denoising steps are measured and extrapolated
// to --steps, of which --dense-steps are dense. Sparse steps score and select, and attend to the
// plan that the synthetic mixture of queries and keys has at --density, because random weights have
// no attention pattern to find. Encoding needs FFmpeg, which this program does without: give it
// what benchmarks/video_encode measured.
#include <ATen/ATen.h>
#include <c10/cuda/CUDACachingAllocator.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "benchmarks/drawn_step.h"
#include "benchmarks/measured_step.h"
#include "benchmarks/timed_runs.h"
#include "core/device.h"
#include "core/error.h"
#include "core/stopwatch.h"
#include "media/frame_convert.h"
#include "text_encoder/clip_text.h"
#include "text_encoder/llama.h"
#include "vae/decoder.h"
#include "vae/tiled_vae.h"
#include "vae/weight_table.h"

namespace reel::benchmarks {
namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;

struct Flags {
  StepShape shape;
  double density = 0.344;
  int64_t stride = 8;
  std::vector<std::string> modes = {"dense", "given"};
  int repeats = 1;
  int64_t steps = 50;
  int64_t dense_steps = 5;
  double encode_seconds = 0;
  bool text = true;
  bool vae = true;
  std::string json;
};

// What one stage took.
struct Stage {
  std::string name;
  double seconds = 0;
  double peak_gb = 0;
};

weights::WeightStore draw(const weights::WeightTable& table, at::ScalarType dtype) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& spec : table.specs()) {
    const auto row = static_cast<double>(spec.num_elements() / spec.shape[0]);
    tensors[spec.name] = at::empty(spec.shape, at::TensorOptions(dtype).device(at::kCUDA))
                             .normal_(0.0, 1.0 / std::sqrt(row));
  }
  return weights::WeightStore(std::move(tensors));
}

text_encoder::LlamaConfig llama_config() {
  text_encoder::LlamaConfig config;
  config.hidden_size = 4096;
  config.intermediate_size = 14'336;
  config.num_layers = 32;
  config.num_heads = 32;
  config.num_key_value_heads = 8;
  config.head_dim = 128;
  config.vocab_size = 128'320;
  config.norm_epsilon = 1e-5;
  config.rope_theta = 500000.0;
  return config;
}

text_encoder::ClipTextConfig clip_config() {
  text_encoder::ClipTextConfig config;
  config.hidden_size = 768;
  config.intermediate_size = 3072;
  config.num_layers = 12;
  config.num_heads = 12;
  config.vocab_size = 49'408;
  config.max_tokens = 77;
  config.eos_id = config.vocab_size - 1;
  config.norm_epsilon = 1e-5;
  return config;
}

vae::Config vae_config() {
  vae::Config config;
  config.latent_channels = 16;
  config.block_channels = {128, 256, 512, 512};
  config.layers_per_block = 2;
  config.num_groups = 32;
  config.mid_attention = true;
  config.scaling_factor = 0.476986;
  return config;
}

class FullVideo {
 public:
  explicit FullVideo(const Flags& flags) : flags_(flags), config_(config_of(flags.shape)) {}

  void run() {
    // the allocator knows no device before its first tensor
    at::empty({1}, at::TensorOptions(at::kFloat).device(at::kCUDA));
    if (flags_.text) encode_text();
    denoise_and_decode();
    if (flags_.encode_seconds > 0) note({"encode", flags_.encode_seconds, 0});
    summarise();
  }

 private:
  // Memory counts from here on.
  static void start_stage() {
    synchronize(at::kCUDA);
    allocator::emptyCache();
    allocator::resetPeakStats(0);
  }

  static double peak_gb() {
    return static_cast<double>(allocator::getDeviceStats(0).allocated_bytes[0].peak) * 1e-9;
  }

  void note(const Stage& stage) {
    std::printf("%-24s %9.3f s", stage.name.c_str(), stage.seconds);
    if (stage.peak_gb > 0) std::printf("   peak %6.2f GB", stage.peak_gb);
    std::printf("\n");
    std::fflush(stdout);
    stages_.push_back(stage);
  }

  // Template and prompt, then CLIP; the first run warms up. The encoders are gone afterwards.
  void encode_text() {
    constexpr int64_t kTemplate = 95;
    start_stage();
    auto store = draw(text_encoder::llama_table(llama_config()), at::kBFloat16);
    auto clip_store = draw(text_encoder::clip_text_table(clip_config()), at::kBFloat16);
    const text_encoder::Llama llama(llama_config(), store);
    const text_encoder::ClipText clip(clip_config(), clip_store);
    const auto longs = at::TensorOptions(at::kLong);
    const int64_t tokens = kTemplate + flags_.shape.text_tokens;
    const at::Tensor ids = at::arange(tokens, longs).unsqueeze(0);
    const at::Tensor clip_ids =
        at::full({1, clip_config().max_tokens}, clip_config().eos_id, longs);
    double seconds = 0;
    for (int i = 0; i < 2; ++i) {
      synchronize(at::kCUDA);
      const Stopwatch watch;
      llama.forward(ids, {tokens});
      clip.forward(clip_ids);
      synchronize(at::kCUDA);
      seconds = watch.elapsed_ms() * 1e-3;
    }
    note({"text", seconds, peak_gb()});
  }

  void denoise_and_decode() {
    start_stage();
    weights::WeightStore store(draw_weights(config_));
    const dit::Transformer transformer(config_, store);
    const dit::Inputs inputs = draw_inputs(flags_.shape, config_);
    const at::Tensor plan = mixture_plan(flags_.shape, config_, flags_.density, flags_.stride);
    const auto fresh = [&](const std::string& mode) {
      return attention_of(mode, config_, /*tau=*/0.9, flags_.stride, plan);
    };
    if (!flags_.modes.empty()) {
      auto warm_up = fresh("given");
      measure_step(transformer, inputs, flags_.shape, warm_up);
    }
    for (const auto& mode : flags_.modes) {
      start_stage();
      std::vector<MeasuredStep> runs;
      for (int i = 0; i < flags_.repeats; ++i) {
        auto attention = fresh(mode);
        runs.push_back(measure_step(transformer, inputs, flags_.shape, attention));
      }
      std::ranges::sort(runs, {}, &MeasuredStep::step_ms);
      const auto& median = runs[runs.size() / 2];
      steps_[mode] = median;
      note({"step, " + mode, median.step_ms * 1e-3, peak_gb()});
      write_json();  // what was measured stays if a later stage fails
    }
    if (flags_.vae) decode(inputs.latents);  // the transformer stays, as in a batch
  }

  // Cold, as a program that renders one clip does it: latents to 8-bit frames on the host.
  void decode(const at::Tensor& latents) {
    start_stage();
    auto store = draw(vae::decoder_table(vae_config()), at::kHalf);
    const vae::Decoder decoder(vae_config(), store);
    const auto plan = vae::plan_automatically({latents.size(2), latents.size(3), latents.size(4)});
    int64_t num_frames = 0;
    bool finite = true;
    synchronize(at::kCUDA);
    const Stopwatch watch;
    vae::decode_tiles(
        decoder, latents, plan,
        [&](const at::Tensor& frames) {
          if (num_frames == 0) finite = frames.isfinite().all().item<bool>();
          num_frames += media::to_pixels(frames, media::Rounding::kNearest).size(0);
        },
        nullptr);
    synchronize(at::kCUDA);
    note({"vae", watch.elapsed_ms() * 1e-3, peak_gb()});
    if (!finite || num_frames != flags_.shape.frames) {
      fail<OutputError>("vae: got ", num_frames, " frames, finite: ", finite, ", want ",
                        flags_.shape.frames, " finite ones");
    }
  }

  double seconds_of(const std::string& name) const {
    for (const auto& stage : stages_) {
      if (stage.name == name) return stage.seconds;
    }
    return 0;
  }

  // Text, decoding and encoding, which all clips have.
  double fixed_seconds() const {
    return seconds_of("text") + seconds_of("vae") + flags_.encode_seconds;
  }

  void summarise() {
    std::printf(
        "\n| step | ms | density | score | select | attend | products (TFLOP/s) | "
        "element-wise, copies, gaps |\n|---|---|---|---|---|---|---|---|\n");
    for (const auto& [mode, step] : steps_) {
      std::printf("| %s | %.0f | %.4f | %.0f | %.0f | %.0f | %.0f (%.0f) | %.0f |\n", mode.c_str(),
                  step.step_ms, step.density, step.score_ms, step.select_ms, step.attend_ms,
                  step.products_ms, step.product_rate(), step.rest_ms());
    }
    std::printf("\n");
    const auto steps = static_cast<double>(flags_.steps);
    const auto first = static_cast<double>(flags_.dense_steps);
    const double dense = seconds_of("step, dense");
    const double sparse = seconds_of("step, given");
    if (dense > 0) totals_["dense_s"] = fixed_seconds() + steps * dense;
    if (dense > 0 && sparse > 0) {
      totals_["sparse_s"] = fixed_seconds() + first * dense + (steps - first) * sparse;
    }
    for (const auto& [name, seconds] : totals_.items()) {
      std::printf("%ld steps, extrapolated, %s: %.1f s\n", flags_.steps, name.c_str(),
                  seconds.get<double>());
    }
    write_json();
  }

  void write_json() const {
    if (flags_.json.empty()) return;
    nlohmann::json result = {{"format", 1},
                             {"benchmark", "full_video"},
                             {"image_tokens", grid_of(flags_.shape).num_tokens()},
                             {"text_tokens", flags_.shape.text_tokens},
                             {"double_blocks", flags_.shape.num_double_blocks},
                             {"single_blocks", flags_.shape.num_single_blocks},
                             {"steps", flags_.steps},
                             {"dense_steps", flags_.dense_steps},
                             {"measured_steps", flags_.repeats},
                             {"stages", nlohmann::json::array()},
                             {"split", nlohmann::json::object()},
                             {"extrapolated", totals_}};
    for (const auto& stage : stages_) {
      result["stages"].push_back(
          {{"name", stage.name}, {"seconds", stage.seconds}, {"peak_gb", stage.peak_gb}});
    }
    for (const auto& [mode, step] : steps_) result["split"][mode] = step.json();
    const std::string text = result.dump(1);
    std::FILE* file = std::fopen(flags_.json.c_str(), "w");
    if (file == nullptr) fail<IoError>("--json: cannot write ", flags_.json);
    const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (std::fclose(file) != 0 || !written) fail<IoError>("--json: write failed");
  }

  Flags flags_;
  dit::Config config_;
  std::vector<Stage> stages_;
  std::map<std::string, MeasuredStep> steps_;
  nlohmann::json totals_ = nlohmann::json::object();
};

int main_with(int argc, char** argv) {
  Flags flags;
  CLI::App app("A whole 13B-shaped clip on a GPU, stage by stage");
  add_shape_flags(app, flags.shape);
  app.add_option("--density", flags.density, "of the given plan")->check(CLI::Range(0.0, 1.0));
  app.add_option("--stride", flags.stride, "4, 8 or 16");
  app.add_option("--modes", flags.modes, "of dense, given, cudnn, selected")->delimiter(',');
  app.add_option("--repeats", flags.repeats, "measured steps of each mode")
      ->check(CLI::PositiveNumber);
  app.add_option("--steps", flags.steps, "of the whole clip, extrapolated")
      ->check(CLI::PositiveNumber);
  app.add_option("--dense-steps", flags.dense_steps, "of them before sparse ones")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--encode-seconds", flags.encode_seconds, "as video_encode measured")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("!--no-text", flags.text, "leave out the text encoders");
  app.add_flag("!--no-vae", flags.vae, "leave out decoding");
  app.add_option("--json", flags.json, "file for all figures");
  return run_program("full_video", app, argc, argv, [&] { FullVideo(flags).run(); });
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::main_with(argc, argv);
}
