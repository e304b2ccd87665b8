// A transformer of HunyuanVideo's size with random weights, and what one step of it takes: all of
// it drawn on the device that runs it.
#pragma once

#include <ATen/core/Tensor.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>

#include "attention/attention.h"
#include "benchmarks/synthetic_qk.h"
#include "dit/transformer.h"
#include "weights/weight_table.h"

namespace reel::benchmarks {

/// The model and the clip, with flags of the same names.
struct StepShape {
  int64_t frames = 129;
  int64_t width = 1280;
  int64_t height = 720;
  int64_t text_tokens = 256;
  int64_t num_double_blocks = 20;
  int64_t num_single_blocks = 40;
};

void add_shape_flags(CLI::App& app, StepShape& shape);

/// 24 heads of 128 channels.
dit::Config config_of(const StepShape& shape);

/// The clip's tokens.
TokenGrid grid_of(const StepShape& shape);

/// One tensor in bf16, scaled so that activations keep their size.
at::Tensor draw_weight(const weights::WeightSpec& spec, at::Device device = at::kCUDA);

/// Every tensor of the config's weight table.
std::map<std::string, at::Tensor> draw_weights(const dit::Config& config,
                                               at::Device device = at::kCUDA);

/// A transformer whose blocks lie in pinned host memory and pass through slots of `device`. Each of
/// its weights comes from `weight`, one after the other, bf16 on the device.
dit::Transformer streamed_transformer(
    const dit::Config& config, at::Device device,
    const std::function<at::Tensor(const weights::WeightSpec&)>& weight);

/// One sample at timestep 875 and guidance 6.
dit::Inputs draw_inputs(const StepShape& shape, const dit::Config& config,
                        at::Device device = at::kCUDA);

/// The heaviest blocks, `density` of them, of the synthetic mixture of queries and keys: [A, n, n].
at::Tensor mixture_plan(const StepShape& shape, const dit::Config& config, double density,
                        int64_t stride, at::Device device = at::kCUDA);

/// Attention that is sparse from the first step on; `select` is what --select takes.
attention::Attention sparse_attention(const dit::Config& config, double tau, int64_t stride,
                                      const std::string& select = "antidiagonal");

}  // namespace reel::benchmarks
