#include "pipeline/decode.h"

#include <ATen/ATen.h>

#include "media/frame_check.h"
#include "media/frame_convert.h"
#include "vae/tiled_vae.h"

namespace reel::pipeline {

void decode_video(const vae::Decoder& decoder, const at::Tensor& latents, const vae::TilePlan& plan,
                  media::FrameSink& sink, Progress& progress, const StopRequest& stop) {
  media::FrameCheck check;
  const int64_t num_frames = vae::num_video_frames(latents.size(2));
  int64_t num_written = 0;
  const auto take = [&](const at::Tensor& frames) {
    check.add_values(frames);
    const at::Tensor pixels = media::to_pixels(frames, media::Rounding::kNearest);
    check.add_pixels(pixels);
    sink.write(pixels);
    num_written += pixels.size(0);
    progress.frames_encoded(num_written, num_frames);
  };
  const auto tile_done = [&](int64_t done, int64_t total) {
    progress.tile_decoded(done, total);
    stop.throw_if_requested();
  };
  const at::Tensor z = latents / decoder.config().scaling_factor;
  vae::decode_tiles(decoder, z, plan, take, tile_done);
  check.finish(num_frames);
}

}  // namespace reel::pipeline
