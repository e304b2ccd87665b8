// A prompt becomes an MP4, without the command line: see docs/LIBRARY.md.
//   render_clip MODEL PROMPT OUT.mp4 [WIDTH HEIGHT FRAMES STEPS]
#include <csignal>
#include <cstdio>
#include <string>

#include "pipeline/text_to_video.h"

namespace {

volatile std::sig_atomic_t wants_stop = 0;

// Prints what happens; false, which cancels, after Ctrl-C.
bool tell(const reel::pipeline::RenderProgress& progress) {
  const auto stage = std::string(progress.stage);
  if (!progress.warning.empty()) {
    std::fprintf(stderr, "note: %s\n", std::string(progress.warning).c_str());
  } else if (progress.total > 0 && stage == "denoise") {
    std::fprintf(stderr, "step %ld of %ld\n", long(progress.done), long(progress.total));
  } else if (progress.total == 0) {
    std::fprintf(stderr, "%s\n", stage.c_str());
  }
  return wants_stop == 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 4 && argc != 8) {
    std::fputs("usage: render_clip MODEL PROMPT OUT.mp4 [WIDTH HEIGHT FRAMES STEPS]\n", stderr);
    return 2;
  }
  std::signal(SIGINT, [](int) { wants_stop = 1; });
  reel::pipeline::ClipOptions clip;
  clip.prompt = argv[2];
  if (argc == 8) {
    clip.width = std::stol(argv[4]);
    clip.height = std::stol(argv[5]);
    clip.frames = std::stol(argv[6]);
    clip.steps = std::stol(argv[7]);
  }
  reel::pipeline::TextToVideo text_to_video(argv[1]);
  text_to_video.check(clip);
  text_to_video.render_mp4(clip, argv[3], tell);
  std::puts(argv[3]);
  return 0;
} catch (const reel::pipeline::Cancelled&) {
  std::fputs("cancelled; no file was written\n", stderr);
  return 130;
} catch (const reel::ConfigError& error) {
  std::fprintf(stderr, "please mend: %s\n", error.what());
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "failed: %s\n", error.what());
  return 1;
}
