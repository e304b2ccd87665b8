#include "pipeline/compute_choice.h"

#include "core/device.h"
#include "core/printable.h"

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

// None with a problem if the text names nothing.
std::optional<Offload> parse_offload(const std::string& text, Problems& problems) {
  for (const Offload value : {Offload::kNone, Offload::kModels, Offload::kBlocks, Offload::kAuto}) {
    if (text == offload_name(value)) return value;
  }
  problems.add("--offload: unknown value: got ", printable(text),
               ", want auto, none, models or blocks");
  return std::nullopt;
}

// 0 for no limit; none with a problem.
std::optional<int64_t> choose_max_vram(const std::optional<double>& given, bool gpu,
                                       Problems& problems) {
  constexpr double kGigabyte = 1e9;
  constexpr double kMost = 1e6;
  if (!given) return 0;
  if (!gpu) {
    problems.add("--max-vram: has no effect on a CPU: got ", *given, ", want no such flag");
    return std::nullopt;
  }
  if (!(*given > 0 && *given <= kMost)) {
    problems.add("--max-vram: out of range: got ", *given, ", want gigabytes above 0");
    return std::nullopt;
  }
  return static_cast<int64_t>(*given * kGigabyte);
}

}  // namespace

std::string offload_name(Offload value) {
  switch (value) {
    case Offload::kModels:
      return "models";
    case Offload::kBlocks:
      return "blocks";
    case Offload::kAuto:
      return "auto";
    default:
      return "none";
  }
}

std::optional<ComputeChoice> choose_compute(const ComputeOptions& options, Problems& problems) {
  const auto device = collect(problems, [&] { return parse_device(options.device); });
  std::optional<at::ScalarType> dtype;
  if (options.dtype) dtype = collect(problems, [&] { return parse_dtype(*options.dtype); });
  const int64_t threads = options.threads.value_or(num_usable_cores());
  const bool threads_fit = threads >= 1 && threads <= kMostThreads;
  if (!threads_fit) {
    problems.add("--threads: out of range: got ", threads, ", want 1 to ", kMostThreads);
  }
  auto offload = parse_offload(options.offload.value_or("auto"), problems);
  if (!device || (options.dtype && !dtype)) return std::nullopt;
  const bool gpu = device->is_cuda();
  if (!gpu && offload == Offload::kAuto) offload = Offload::kNone;
  const auto max_vram = choose_max_vram(options.max_vram, gpu, problems);
  const bool offload_fits = gpu || !offload || *offload == Offload::kNone;
  if (!offload_fits) {
    problems.add("--offload: has no effect on a CPU, where the weights are in host memory anyway: ",
                 "got ", *options.offload, ", want none");
  }
  if (!gpu && dtype == at::kHalf) {
    problems.add("--dtype: fp16 is not computed on a CPU: got fp16, want fp32 or bf16");
    return std::nullopt;
  }
  if (!threads_fit || !offload || !offload_fits || !max_vram) return std::nullopt;
  const at::ScalarType chosen = dtype.value_or(gpu ? at::kBFloat16 : at::kFloat);
  const at::ScalarType vae = gpu && chosen != at::kFloat ? at::kHalf : chosen;
  return ComputeChoice{.device = *device,
                       .dtype = chosen,
                       .vae_dtype = vae,
                       .threads = static_cast<int>(threads),
                       .offload = *offload,
                       .max_vram_bytes = *max_vram};
}

}  // namespace reel::pipeline
