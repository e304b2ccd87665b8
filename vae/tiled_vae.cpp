#include "vae/tiled_vae.h"

#include <vector>

#include "core/error.h"
#include "core/tensor_check.h"

namespace reel::vae {
namespace {

void check_plan(const char* where, const TilePlan& plan, const LatentSize& size) {
  const LatentSize planned{plan.time.windows.back().end, plan.rows.windows.back().end,
                           plan.columns.windows.back().end};
  if (planned != size) {
    fail<ShapeError>(where, ": plan for another size: got ",
                     shape_text({planned.frames, planned.rows, planned.columns}), ", want ",
                     shape_text({size.frames, size.rows, size.columns}));
  }
}

}  // namespace

void decode_tiles(const Decoder& decoder, const at::Tensor& z, const TilePlan& plan,
                  const FrameSink& sink, const TileProgress& progress) {
  constexpr const char* kWhere = "vae::decode_tiles";
  check_tensor(kWhere, z, "z", {{'B', kAny}, {'C', kAny}, {'T', kAny}, {'h', kAny}, {'w', kAny}});
  check_plan(kWhere, plan, {z.size(2), z.size(3), z.size(4)});
  check_tile_size(plan, decoder.config(), z.size(0));
  const auto tile = [&](const Window& time, const Window& rows, const Window& columns) {
    return decoder.decode(z.narrow(2, time.begin, time.size())
                              .narrow(3, rows.begin, rows.size())
                              .narrow(4, columns.begin, columns.size()));
  };
  run_tiles({.plan = plan,
             .scale = {.time = kTemporalRatio, .space = kSpatialRatio},
             .tile = tile,
             .sink = sink,
             .progress = progress});
}

at::Tensor decode_to_tensor(const Decoder& decoder, const at::Tensor& z, const TilePlan& plan) {
  std::vector<at::Tensor> parts;
  decode_tiles(
      decoder, z, plan, [&](const at::Tensor& frames) { parts.push_back(frames); }, nullptr);
  return parts.size() == 1 ? parts.front() : at::cat(parts, 2);
}

Posterior encode_tiles(const Encoder& encoder, const at::Tensor& frames, const TilePlan& plan) {
  constexpr const char* kWhere = "vae::encode_tiles";
  check_tensor(kWhere, frames, "frames",
               {{'B', kAny}, {'C', kImageChannels}, {'F', kAny}, {'H', kAny}, {'W', kAny}});
  check_plan(kWhere, plan,
             {num_latent_frames(frames.size(2)), frames.size(3) / kSpatialRatio,
              frames.size(4) / kSpatialRatio});
  check_tile_size(plan, encoder.config(), frames.size(0));
  const auto tile = [&](const Window& time, const Window& rows, const Window& columns) {
    return encoder.encode(
        frames.narrow(2, time.begin * kTemporalRatio, num_video_frames(time.size()))
            .narrow(3, rows.begin * kSpatialRatio, rows.size() * kSpatialRatio)
            .narrow(4, columns.begin * kSpatialRatio, columns.size() * kSpatialRatio));
  };
  std::vector<at::Tensor> parts;
  run_tiles({.plan = plan,
             .scale = {.time = 1, .space = 1},
             .tile = tile,
             .sink = [&](const at::Tensor& moments) { parts.push_back(moments); },
             .progress = nullptr});
  return posterior_of(at::cat(parts, 2));
}

}  // namespace reel::vae
