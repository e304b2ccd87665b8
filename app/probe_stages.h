// The stages of `probe`, one function each (spec/cli-and-vbench.md 2.2, docs/FORMATS.md "Probe").
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "app/probe_options.h"

namespace reel::app {

/// Tensors by name, as they are written to --out.
using Tensors = std::map<std::string, at::Tensor>;

// Print JSON to stdout.
void probe_tokenize(const ProbeOptions& options);
void probe_schedule(const ProbeOptions& options);

// Read --in and return what goes to --out.
Tensors probe_encode(const ProbeOptions& options);
Tensors probe_llama(const ProbeOptions& options);
Tensors probe_clip(const ProbeOptions& options);
Tensors probe_dit(const ProbeOptions& options);
Tensors probe_denoise(const ProbeOptions& options);
Tensors probe_vae_decode(const ProbeOptions& options);
Tensors probe_vae_encode(const ProbeOptions& options);
Tensors probe_xattn(const ProbeOptions& options);

}  // namespace reel::app
