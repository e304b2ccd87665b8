// Decoding a clip with the VAE, weights drawn at random. benchmarks/peers/vae_decode.py runs
// diffusers in turn with it.
#include <ATen/ATen.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <string>

#include "benchmarks/drawn_vae.h"
#include "benchmarks/timed_runs.h"
#include "core/device.h"
#include "core/random.h"
#include "media/frame_sink.h"
#include "pipeline/decode.h"
#include "vae/decoder.h"
#include "vae/tile_memory.h"
#include "vae/tiled_vae.h"

#if REEL_CUDA
#include <c10/cuda/CUDACachingAllocator.h>

#include "benchmarks/kernel_trace.h"
#endif

namespace reel::benchmarks {
namespace {

using vae::TilePlan;

struct ClipFlags {
  std::string model = "speed";
  std::string tiling = "auto";
  int64_t width = 256;
  int64_t height = 256;
  int64_t frames = 33;
  std::string backend = "best";
  bool pixels = false;
  bool search = false;  // cuDNN's own benchmark of every convolution's kernels
  bool trace = false;
  bool psnr = false;
};

vae::Backend backend_of(const std::string& name) {
  if (name == "plain") return vae::Backend::kLibTorch;
  return name == "unfolded" ? vae::Backend::kUnfolded : vae::Backend::kBest;
}

TilePlan plan_of(const std::string& tiling, const vae::LatentSize& size) {
  if (tiling == "auto") return plan_automatically(size);
  if (tiling == "none") return plan_whole(size);
  return plan_tiles(size, vae::parse_tiling(tiling, "--tiling"));
}

#if REEL_CUDA

c10::CachingAllocator::Stat allocated() {
  return c10::cuda::CUDACachingAllocator::getDeviceStats(0)
      .allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
}

void reset_peak() {
  c10::cuda::CUDACachingAllocator::resetPeakStats(0);
}

void print_kernels(const std::function<void()>& decode) {
  for (const auto& kernel : trace_kernels(decode)) {
    if (kernel.ms < 1) break;
    std::fprintf(stderr, "%10.1f ms %6ld  %.110s\n", kernel.ms, kernel.calls, kernel.name.c_str());
  }
}

#else

struct Allocated {
  int64_t current = 0;
  int64_t peak = 0;
};

Allocated allocated() {
  return {};
}

void reset_peak() {}

void print_kernels(const std::function<void()>& /*decode*/) {}

#endif

// Takes frames and does nothing with them.
class NoEncoder : public media::FrameSink {
 public:
  void write(const at::Tensor& /*frames*/) override {}
  void finish() override {}
};

// Of 8-bit ranges: frames reach from about -1 to 1.
double psnr_db(const at::Tensor& got, const at::Tensor& want) {
  const double error = (got.clamp(-1, 1) - want.clamp(-1, 1)).square().mean().item<double>();
  return 10 * std::log10(4 / error);
}

HotPath prepare(const ClipFlags& clip, const RunFlags& flags) {
  const vae::Config config = vae_config(clip.model);
  const at::Device device = parse_device(flags.device);
  if (clip.search) at::globalContext().setBenchmarkCuDNN(true);
  const auto decoder = std::make_shared<const vae::Decoder>(
      draw_decoder(config, device, parse_dtype(flags.dtype), backend_of(clip.backend)));
  const vae::LatentSize size{vae::num_latent_frames(clip.frames), clip.height / vae::kSpatialRatio,
                             clip.width / vae::kSpatialRatio};
  const at::Tensor z = NormalStream(2)
                           .next({1, config.latent_channels, size.frames, size.rows, size.columns})
                           .to(device);
  const TilePlan plan = plan_of(clip.tiling, size);
  nlohmann::json facts = {{"model", clip.model},    {"width", clip.width},
                          {"height", clip.height},  {"frames", clip.frames},
                          {"tiling", clip.tiling},  {"tiles", plan.num_tiles()},
                          {"backend", clip.backend}};
  if (clip.psnr) {
    const auto exact = draw_decoder(config, device, at::kFloat, vae::Backend::kLibTorch);
    facts["psnr_against_fp32_db"] =
        psnr_db(decode_to_tensor(*decoder, z, plan), decode_to_tensor(exact, z, plan));
  }
  const auto decode = [=] {
    if (clip.pixels) {
      NoEncoder sink;
      pipeline::Progress progress;
      const pipeline::StopRequest stop;
      pipeline::decode_video(*decoder, z * config.scaling_factor, plan, sink, progress, stop);
    } else {
      decode_to_tensor(*decoder, z, plan);
    }
    synchronize(device);
  };
  if (clip.trace) {
    decode();
    print_kernels(decode);
  }
  if (device.is_cuda()) {
    const int64_t element_bytes = parse_dtype(flags.dtype) == at::kFloat ? 4 : 2;
    facts["foreseen_GB"] = static_cast<double>(decode_bytes(config, plan, element_bytes)) * 1e-9;
    facts["weights_GB"] = static_cast<double>(allocated().current) * 1e-9;
    reset_peak();
    decode();
    facts["peak_GB"] = static_cast<double>(allocated().peak) * 1e-9;
  }
  return {decode, facts, {}};
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
  app.add_option("--backend", clip.backend, "best, unfolded (up-samples first) or plain (LibTorch)")
      ->check(CLI::IsMember({"best", "unfolded", "plain"}));
  app.add_flag("--pixels", clip.pixels, "as the program does it: checked 8-bit frames on the host");
  app.add_flag("--cudnn-search", clip.search, "let cuDNN try its kernels for every convolution");
  app.add_flag("--trace", clip.trace, "print the GPU's kernels by time");
  app.add_flag("--psnr", clip.psnr, "against fp32 decoding of the same tiles");
  return run_benchmark("vae_decode", app, flags, argc, argv, [&] { return prepare(clip, flags); });
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::run(argc, argv);
}
