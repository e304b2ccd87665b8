#include "pipeline/decode_retrying.h"

#include <string>

#include "core/device.h"
#include "pipeline/decode.h"
#include "pipeline/memory_use.h"

namespace reel::pipeline {
namespace {

// Remembers whether frames came.
class WatchedSink : public media::FrameSink {
 public:
  explicit WatchedSink(media::FrameSink& sink) : sink_(sink) {}
  void write(const at::Tensor& frames) override {
    sink_.write(frames);
    has_frames_ = true;
  }
  void finish() override { sink_.finish(); }
  bool has_frames() const { return has_frames_; }

 private:
  media::FrameSink& sink_;
  bool has_frames_ = false;
};

}  // namespace

VaeTiling decode_retrying(const vae::Decoder& decoder, const at::Tensor& latents,
                          const VaeTiling& tiling, const OpenSink& open, Progress& progress,
                          const StopRequest& stop) {
  const vae::LatentSize size{latents.size(2), latents.size(3), latents.size(4)};
  const auto smaller = smaller_tilings(tiling, size);
  auto next = smaller.begin();
  VaeTiling current = tiling;
  media::FrameSink* sink = open(/*again=*/false);
  while (true) {
    WatchedSink watched(*sink);
    std::string failure;
    try {
      decode_video(decoder, latents, plan_vae_tiles(current, size), watched, progress, stop);
      return current;
    } catch (...) {
      const auto about_memory = memory_failure();
      if (!about_memory || next == smaller.end()) throw;
      if (watched.has_frames()) sink = open(/*again=*/true);
      if (sink == nullptr) throw;
      failure = *about_memory;
    }
    release_freed_memory(latents.device());
    current = *next++;
    progress.warn("decode: " + failure + "; trying again with smaller tiles: --vae-tile " +
                  vae_tiling_text(current));
  }
}

}  // namespace reel::pipeline
