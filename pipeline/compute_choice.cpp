#include "pipeline/compute_choice.h"

#include "core/device.h"

namespace reel::pipeline {
namespace {

constexpr int64_t kMostThreads = 1024;

// Runs a parser whose errors are problems of this request.
template <typename Parse>
auto collect(Problems& problems, const Parse& parse) -> std::optional<decltype(parse())> {
  try {
    return parse();
  } catch (const ConfigError& error) {
    problems.add(error.what());
    return std::nullopt;
  }
}

}  // namespace

std::optional<ComputeChoice> choose_compute(const ComputeOptions& options, Problems& problems) {
  const auto device = collect(problems, [&] { return parse_device(options.device); });
  std::optional<at::ScalarType> dtype;
  if (options.dtype) dtype = collect(problems, [&] { return parse_dtype(*options.dtype); });
  const int64_t threads = options.threads.value_or(num_usable_cores());
  const bool threads_fit = threads >= 1 && threads <= kMostThreads;
  if (!threads_fit) {
    problems.add("--threads: out of range: got ", threads, ", want 1 to ", kMostThreads);
  }
  if (!device || (options.dtype && !dtype)) return std::nullopt;
  const bool gpu = device->is_cuda();
  if (!gpu && dtype == at::kHalf) {
    problems.add("--dtype: fp16 is not computed on a CPU: got fp16, want fp32 or bf16");
    return std::nullopt;
  }
  if (!threads_fit) return std::nullopt;
  const at::ScalarType chosen = dtype.value_or(gpu ? at::kBFloat16 : at::kFloat);
  const at::ScalarType vae = gpu && chosen != at::kFloat ? at::kHalf : chosen;
  return ComputeChoice{
      .device = *device, .dtype = chosen, .vae_dtype = vae, .threads = static_cast<int>(threads)};
}

}  // namespace reel::pipeline
