// Where a clip starts: drawn from its seed, or read from a file.
#pragma once

#include <ATen/core/Tensor.h>

#include "pipeline/generation_request.h"

namespace reel::pipeline {

/// The initial noise [1, C, T, h, w] fp32 on the CPU: the request's noise file, or the numbers that
/// PyTorch's CPU generator gives for `seed`. Throws ConfigError if the file does not hold exactly
/// the tensor "noise" of that shape, with finite numbers.
at::Tensor make_noise(const GenerationRequest& request, uint64_t seed, int64_t channels);

}  // namespace reel::pipeline
