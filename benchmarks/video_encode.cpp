// Encoding a clip into an MP4 file with the encoder's defaults: what follows decoding, on the CPU.
#include <ATen/core/Tensor.h>

#include <filesystem>

#include "benchmarks/panning_clip.h"
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

HotPath prepare(const ClipFlags& clip) {
  const at::Tensor frames = panning_clip(clip.frames, clip.height, clip.width);
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
