// What a run's records say about the machine and the model files.
#pragma once

#include <ATen/core/Tensor.h>

#include "pipeline/run_report.h"
#include "weights/model_folder.h"

namespace reel::pipeline {

/// SHA-256 over the tokenizers' files. Throws WeightError if one cannot be read.
std::string tokenizers_sha256(const weights::ModelFolder& folder);

/// Names the device, the number formats, every weight file and the tokenizers. Of weight files only
/// the headers are read.
RunIdentity identify(const ComputeChoice& compute, const weights::ModelFolder& folder);

/// Bytes that can be taken now: of the GPU, or of the host without swapping.
int64_t free_bytes(at::Device device);

}  // namespace reel::pipeline
