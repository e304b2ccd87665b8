// Decoding a clip with the VAE, weights drawn at random. benchmarks/peers/vae_decode.py runs
// diffusers in turn with it.
#include <ATen/ATen.h>

#include <cmath>
#include <string>

#include "benchmarks/timed_runs.h"
#include "core/device.h"
#include "core/random.h"
#include "vae/decoder.h"
#include "vae/tiled_vae.h"
#include "vae/weight_table.h"

namespace reel::benchmarks {
namespace {

using vae::TilePlan;

struct ClipFlags {
  std::string model = "speed";
  std::string tiling = "auto";
  int64_t width = 256;
  int64_t height = 256;
  int64_t frames = 33;
  bool plain = false;
};

vae::Config config_of(const std::string& model) {
  const bool full = model == "full";
  vae::Config config;
  config.latent_channels = 16;
  config.block_channels = {24, 48, 64, 64};
  if (full) config.block_channels = {128, 256, 512, 512};
  config.layers_per_block = full ? 2 : 1;
  config.num_groups = full ? 32 : 2;
  config.mid_attention = true;
  config.scaling_factor = 0.476986;
  return config;
}

weights::WeightStore draw(const vae::Config& config, at::Device device, at::ScalarType dtype) {
  NormalStream stream(1);
  std::map<std::string, at::Tensor> tensors;
  const auto table = vae::decoder_table(config);
  for (const auto& spec : table.specs()) {
    const auto fan_in = static_cast<double>(spec.num_elements() / spec.shape[0]);
    tensors[spec.name] = (stream.next(spec.shape) / std::sqrt(fan_in)).to(device, dtype);
  }
  return weights::WeightStore(std::move(tensors));
}

TilePlan plan_of(const std::string& tiling, const vae::LatentSize& size) {
  if (tiling == "auto") return plan_automatically(size);
  if (tiling == "none") return plan_whole(size);
  return plan_tiles(size, vae::parse_tiling(tiling, "--tiling"));
}

HotPath prepare(const ClipFlags& clip, const RunFlags& flags) {
  const vae::Config config = config_of(clip.model);
  const at::Device device = parse_device(flags.device);
  auto store = draw(config, device, parse_dtype(flags.dtype));
  const vae::Decoder decoder(config, store,
                             clip.plain ? vae::Backend::kLibTorch : vae::Backend::kBest);
  const vae::LatentSize size{vae::num_latent_frames(clip.frames), clip.height / vae::kSpatialRatio,
                             clip.width / vae::kSpatialRatio};
  const at::Tensor z = NormalStream(2)
                           .next({1, config.latent_channels, size.frames, size.rows, size.columns})
                           .to(device);
  const TilePlan plan = plan_of(clip.tiling, size);
  return {[=] {
            decode_to_tensor(decoder, z, plan);
            synchronize(device);
          },
          {{"model", clip.model},
           {"width", clip.width},
           {"height", clip.height},
           {"frames", clip.frames},
           {"tiles", plan.num_tiles()},
           {"plain", clip.plain}},
          {}};
}

int run(int argc, char** argv) {
  CLI::App app("Decoding a clip, timed");
  RunFlags flags;
  ClipFlags clip;
  app.add_option("--model", clip.model)->check(CLI::IsMember({"speed", "full"}));
  app.add_option("--tiling", clip.tiling,
                 "auto, none, official, diffusers or SIZE:STRIDE:FRAMES:FRAME_STRIDE");
  app.add_option("--width", clip.width)->check(CLI::PositiveNumber);
  app.add_option("--height", clip.height)->check(CLI::PositiveNumber);
  app.add_option("--frames", clip.frames, "4k + 1")->check(CLI::PositiveNumber);
  app.add_flag("--plain", clip.plain, "LibTorch's operators instead of the fused loops");
  return run_benchmark("vae_decode", app, flags, argc, argv, [&] { return prepare(clip, flags); });
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::run(argc, argv);
}
