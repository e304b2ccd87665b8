#include "pipeline/decode.h"

#include <ATen/ATen.h>

#include "media/frame_check.h"
#include "media/frame_convert.h"
#include "media/frame_queue.h"
#include "vae/tiled_vae.h"

namespace reel::pipeline {
namespace {

// Eight chunks of 720 x 1280 frames are 177 MB, which an encoder is through with in a second.
constexpr int64_t kChunkFrames = 8;
constexpr size_t kWaitingChunks = 8;

// Takes decoded frames to the sink, whose thread waits for the pixels and checks them, while the
// decoder goes on. Progress is told and errors are thrown in the caller's thread.
class PixelStream {
 public:
  PixelStream(media::FrameSink& sink, int64_t num_frames, Progress& progress,
              const StopRequest& stop)
      : num_frames_(num_frames), progress_(progress), stop_(stop), queue_(sink, kWaitingChunks) {}

  // frames [1, 3, f, H, W], which may go at once.
  void add(const at::Tensor& frames) {
    constexpr int64_t kFrames = 2;
    for (const at::Tensor& chunk : frames.split(kChunkFrames, kFrames)) {
      const media::ComingPixels coming(chunk, media::Rounding::kNearest);
      queue_.push([this, coming] {
        coming.wait();
        check_.add_count(coming.num_not_finite(), coming.num_values());
        check_.add_pixels(coming.pixels());
        return coming.pixels();
      });
      tell();
      stop_.throw_if_requested();
    }
  }

  // All frames are with the sink, and are a video.
  void finish() {
    while (queue_.await_write()) {
      tell();
      stop_.throw_if_requested();
    }
    tell();
    check_.finish(num_frames_);
  }

 private:
  void tell() {
    const int64_t num_written = queue_.num_written();
    if (num_written == num_told_) return;
    num_told_ = num_written;
    progress_.frames_encoded(num_written, num_frames_);
  }

  int64_t num_frames_;
  int64_t num_told_ = 0;
  Progress& progress_;
  const StopRequest& stop_;
  media::FrameCheck check_;  // of the queue's thread until everything is written
  media::FrameQueue queue_;  // last: its thread uses check_
};

}  // namespace

void decode_video(const vae::Decoder& decoder, const at::Tensor& latents, const vae::TilePlan& plan,
                  media::FrameSink& sink, Progress& progress, const StopRequest& stop) {
  PixelStream stream(sink, vae::num_video_frames(latents.size(2)), progress, stop);
  const auto tile_done = [&](int64_t done, int64_t total) {
    progress.tile_decoded(done, total);
    stop.throw_if_requested();
  };
  const at::Tensor z = latents / decoder.config().scaling_factor;
  vae::decode_tiles(
      decoder, z, plan, [&](const at::Tensor& frames) { stream.add(frames); }, tile_done);
  stream.finish();
}

}  // namespace reel::pipeline
