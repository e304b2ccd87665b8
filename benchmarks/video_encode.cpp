// Encoding a clip into an MP4 file with the encoder's defaults: what follows decoding, on the CPU.
// Frames pan over a smooth picture with a little noise, about as hard as a generated clip.
#include <ATen/ATen.h>

#include <cmath>
#include <filesystem>
#include <numbers>

#include "benchmarks/timed_runs.h"
#include "media/encoder_plan.h"
#include "media/mp4_writer.h"

namespace reel::benchmarks {
namespace {

struct ClipFlags {
  int64_t width = 1280;
  int64_t height = 720;
  int64_t frames = 129;
  int64_t at_once = 12;
  std::string preset;
  std::string out = "video_encode.mp4";
};

// [F, H, W, 3] uint8.
at::Tensor draw_clip(const ClipFlags& clip) {
  constexpr double kNoise = 3.0;
  constexpr double kSpeed = 4.0;  // pixels a frame
  at::manual_seed(1);
  const at::Tensor y = at::arange(clip.height, at::kFloat).unsqueeze(1);
  std::vector<at::Tensor> frames;
  for (int64_t frame = 0; frame < clip.frames; ++frame) {
    const at::Tensor x = at::arange(clip.width, at::kFloat) + kSpeed * static_cast<double>(frame);
    std::vector<at::Tensor> channels;
    for (const double period : {97.0, 151.0, 233.0}) {
      const double turn = 2.0 * std::numbers::pi / period;
      channels.push_back((x * turn + y * (turn / 3)).sin() * 60 + (y * turn).cos() * 40 + 128);
    }
    const at::Tensor picture = at::stack(channels, -1);
    frames.push_back((picture + at::randn_like(picture) * kNoise).clamp_(0, 255).to(at::kByte));
  }
  return at::stack(frames);
}

HotPath prepare(const ClipFlags& clip) {
  const at::Tensor frames = draw_clip(clip);
  media::EncoderOptions options;
  if (!clip.preset.empty()) options.preset = clip.preset;
  const auto plan = media::plan_encoder(options, clip.width, clip.height);
  const auto encode = [=] {
    media::Mp4Writer writer(clip.out, IfExists::kReplace,
                            {clip.width, clip.height, media::FrameRate{24, 1}}, plan);
    for (int64_t first = 0; first < clip.frames; first += clip.at_once) {
      writer.write(frames.slice(0, first, first + clip.at_once).contiguous());
    }
    writer.finish();
  };
  return {encode,
          {{"width", clip.width},
           {"height", clip.height},
           {"frames", clip.frames},
           {"encoder", plan.encoder},
           {"preset", plan.preset},
           {"crf", plan.crf}},
          {}};
}

int run(int argc, char** argv) {
  CLI::App app("Encoding a clip, timed");
  RunFlags flags;
  ClipFlags clip;
  app.add_option("--width", clip.width)->check(CLI::PositiveNumber);
  app.add_option("--height", clip.height)->check(CLI::PositiveNumber);
  app.add_option("--frames", clip.frames)->check(CLI::PositiveNumber);
  app.add_option("--at-once", clip.at_once, "frames handed over together")
      ->check(CLI::PositiveNumber);
  app.add_option("--preset", clip.preset, "the encoder's; default as in the program");
  app.add_option("--out", clip.out, "file that is written and replaced");
  return run_benchmark("video_encode", app, flags, argc, argv, [&] { return prepare(clip); });
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::run(argc, argv);
}
