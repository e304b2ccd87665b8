#include "app/probe.h"

#include <ATen/Parallel.h>

#include <optional>

#include "app/probe_stages.h"
#include "core/error.h"
#include "weights/safetensors.h"

namespace reel::app {
namespace {

struct PrintingStage {
  const char* name;
  void (*run)(const ProbeOptions&);
};

struct TensorStage {
  const char* name;
  Tensors (*run)(const ProbeOptions&);
};

constexpr PrintingStage kPrintingStages[] = {{"tokenize", probe_tokenize},
                                             {"schedule", probe_schedule}};

constexpr TensorStage kTensorStages[] = {
    {"encode", probe_encode},
    {"llama", probe_llama},
    {"clip", probe_clip},
    {"dit", probe_dit},
    {"denoise", probe_denoise},
    {"xattn", probe_xattn},
    {"vae-decode", probe_vae_decode},
    {"vae-encode", probe_vae_encode},
};

// Floats leave as fp32; masks and the like keep their dtype.
Tensors for_output(Tensors tensors) {
  for (auto& [name, tensor] : tensors) {
    tensor = tensor.cpu();
    if (tensor.is_floating_point()) tensor = tensor.to(at::kFloat);
  }
  return tensors;
}

}  // namespace

int run_probe(const ProbeOptions& options) {
  at::set_num_threads(options.compute.threads);
  for (const auto& stage : kPrintingStages) {
    if (options.stage != stage.name) continue;
    stage.run(options);
    return 0;
  }
  for (const auto& stage : kTensorStages) {
    if (options.stage != stage.name) continue;
    // Opened first: a place that cannot be written is found before the work.
    OutputFile file(options.out.value(),
                    options.overwrite ? IfExists::kReplace : IfExists::kRefuse);
    weights::write_safetensors(file, for_output(stage.run(options)));
    file.commit();
    return 0;
  }
  fail<ConfigError>("probe: unknown stage: got ", options.stage);
}

}  // namespace reel::app
