// One step of a transformer of HunyuanVideo's size with its blocks on the GPU and with its blocks
// in host memory: time, memory, and the same again where LibTorch may not take more than a smaller
// GPU has.
#include <ATen/ATen.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <cuda_runtime_api.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "benchmarks/drawn_step.h"
#include "benchmarks/timed_runs.h"
#include "core/device.h"
#include "core/error.h"
#include "core/stopwatch.h"

namespace reel::benchmarks {
namespace {

namespace allocator = c10::cuda::CUDACachingAllocator;

struct Flags {
  StepShape shape;
  double density = 0.344;
  int sparse_repeats = 2;
  int dense_repeats = 1;
  double cap_gb = 24;
  std::string json;
};

// Bytes that tensors hold, the most since the last reset.
struct Peak {
  double allocated_gb;
  double reserved_gb;
};

Peak peak() {
  const auto stats = allocator::getDeviceStats(0);
  return {static_cast<double>(stats.allocated_bytes[0].peak) * 1e-9,
          static_cast<double>(stats.reserved_bytes[0].peak) * 1e-9};
}

double gpu_bytes(bool free) {
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  if (cudaMemGetInfo(&free_bytes, &total_bytes) != cudaSuccess) fail<DeviceError>("no GPU memory");
  return static_cast<double>(free ? free_bytes : total_bytes);
}

class OffloadedStep {
 public:
  explicit OffloadedStep(const Flags& flags)
      : flags_(flags),
        config_(config_of(flags.shape)),
        inputs_(draw_inputs(flags.shape, config_)),
        plan_(mixture_plan(flags.shape, config_, flags.density, /*stride=*/8)) {}

  void run() {
    auto weights = draw_weights(config_);
    streamed_.emplace(streamed_transformer(
        config_, at::kCUDA, [&](const auto& spec) { return weights.at(spec.name); }));
    weights::WeightStore store(std::move(weights));
    resident_.emplace(config_, store);
    synchronize(at::kCUDA);
    std::printf("%ld tokens, %ld blocks, ready in %.1f s\n", grid_of(flags_.shape).num_tokens(),
                config_.num_layers(), watch_.elapsed_ms() * 1e-3);
    std::fflush(stdout);
    step(*resident_, "sparse");  // cuBLAS and the allocator settle
    compare("sparse", flags_.sparse_repeats);
    compare("dense", flags_.dense_repeats);
    resident_.reset();
    if (flags_.cap_gb > 0) run_capped();
  }

 private:
  attention::Attention attention_of(const std::string& mode) const {
    if (mode == "dense") return {};
    auto attention = sparse_attention(config_, /*tau=*/flags_.density, /*stride=*/8);
    attention.give_plan(plan_);
    return attention;
  }

  // The time of one step in milliseconds.
  double step(const dit::Transformer& transformer, const std::string& mode) {
    auto attention = attention_of(mode);
    synchronize(at::kCUDA);
    const Stopwatch watch;
    velocity_ = transformer.forward(inputs_, attention.at_step(0));
    synchronize(at::kCUDA);
    return watch.elapsed_ms();
  }

  // In turn, so that both see the same clocks.
  void compare(const std::string& mode, int repeats) {
    std::vector<double> resident_ms;
    std::vector<double> streamed_ms;
    Peak resident_peak{};
    bool equal = true;
    for (int i = 0; i < repeats; ++i) {
      allocator::resetPeakStats(0);
      resident_ms.push_back(step(*resident_, mode));
      resident_peak = peak();
      const at::Tensor want = velocity_;
      streamed_ms.push_back(step(*streamed_, mode));
      equal = equal && at::equal(velocity_, want);
    }
    const double ratio = median(streamed_ms) / median(resident_ms);
    // The resident model alone would not have the other one's slots.
    const auto slots = dit::kBlockSlots * dit::largest_block_bytes(dit::block_places(config_, 2));
    const double resident_gb = resident_peak.allocated_gb - static_cast<double>(slots) * 1e-9;
    std::printf("%-7s resident %9.1f ms, %.2f GB  streamed %9.1f ms  ratio %.4f  same bits: %s\n",
                mode.c_str(), median(resident_ms), resident_gb, median(streamed_ms), ratio,
                equal ? "yes" : "NO");
    std::fflush(stdout);
    rows_.push_back({{"mode", mode},
                     {"resident_ms", resident_ms},
                     {"streamed_ms", streamed_ms},
                     {"ratio", ratio},
                     {"equal", equal},
                     {"resident_GB", resident_gb}});
    write_json();
  }

  // Without the other model. LibTorch's limit does not count the CUDA context and our kernels'
  // code; the use that the driver sees does.
  void run_capped() {
    velocity_.reset();
    allocator::emptyCache();
    const double fraction = flags_.cap_gb * 1e9 / gpu_bytes(/*free=*/false);
    allocator::setMemoryFraction(fraction, 0);
    allocator::resetPeakStats(0);
    for (const std::string mode : {"sparse", "dense"}) {
      const double ms = step(*streamed_, mode);
      const Peak most = peak();
      const double used = (gpu_bytes(/*free=*/false) - gpu_bytes(/*free=*/true)) * 1e-9;
      std::printf(
          "%-7s streamed below %.1f GB: %9.1f ms, tensors %.2f GB, reserved %.2f GB, GPU in use "
          "%.2f GB\n",
          mode.c_str(), flags_.cap_gb, ms, most.allocated_gb, most.reserved_gb, used);
      std::fflush(stdout);
      rows_.push_back({{"mode", mode},
                       {"cap_GB", flags_.cap_gb},
                       {"streamed_ms", {ms}},
                       {"allocated_GB", most.allocated_gb},
                       {"reserved_GB", most.reserved_gb},
                       {"gpu_used_GB", used}});
      write_json();
    }
  }

  void write_json() const {
    write_report(flags_.json, {{"format", 1},
                               {"benchmark", "offloaded_step"},
                               {"image_tokens", grid_of(flags_.shape).num_tokens()},
                               {"text_tokens", flags_.shape.text_tokens},
                               {"double_blocks", flags_.shape.num_double_blocks},
                               {"single_blocks", flags_.shape.num_single_blocks},
                               {"density", flags_.density},
                               {"rows", rows_}});
  }

  Stopwatch watch_;
  Flags flags_;
  dit::Config config_;
  dit::Inputs inputs_;
  at::Tensor plan_;
  std::optional<dit::Transformer> resident_;
  std::optional<dit::Transformer> streamed_;
  at::Tensor velocity_;
  nlohmann::json rows_ = nlohmann::json::array();
};

int main_with(int argc, char** argv) {
  Flags flags;
  CLI::App app("One step of a 13B transformer with its blocks on the GPU and in host memory");
  add_shape_flags(app, flags.shape);
  app.add_option("--density", flags.density, "of the sparse step's plan")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--sparse-repeats", flags.sparse_repeats)->check(CLI::PositiveNumber);
  app.add_option("--dense-repeats", flags.dense_repeats)->check(CLI::PositiveNumber);
  app.add_option("--cap", flags.cap_gb, "GB that LibTorch may take in the last part; 0: leave out");
  app.add_option("--json", flags.json, "file for all figures");
  return run_program("offloaded_step", app, argc, argv, [&] { OffloadedStep(flags).run(); });
}

}  // namespace
}  // namespace reel::benchmarks

int main(int argc, char** argv) {
  return reel::benchmarks::main_with(argc, argv);
}
