// From the tensors that a file offers to the tensors that a model needs, on its device.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "weights/published_layout.h"
#include "weights/tensor_source.h"
#include "weights/weight_store.h"

namespace reel::weights {

/// Tensors that a file may hold beside those of the model. Any other extra tensor is an error: it
/// means that file and config do not belong together.
struct UnusedNames {
  std::string prefix;                   ///< what the file puts in front of the model's names
  std::vector<std::string> beginnings;  ///< of names, and of names without `prefix`
  std::vector<std::string> endings;     ///< of names
};

/// Takes the bytes read so far and the bytes of all tensors that are used.
using LoadProgress = std::function<void(uint64_t done_bytes, uint64_t total_bytes)>;

/// Checks that `source` holds exactly the parts of `recipes`, and perhaps `unused` ones, with the
/// right shapes and as fp32, fp16, bf16 or fp64. Dtypes of unused tensors do not matter.
/// Throws WeightError with all problems at once, of each kind the first ones and the number of the
/// rest; "<where>" stands for the model part in it.
void check_weights(const std::string& where, const TensorSource& source,
                   const std::vector<Recipe>& recipes, const UnusedNames& unused);

/// Checks as check_weights() does, then builds every internal tensor as `dtype` on `device`. On the
/// CPU that goes part by part: host memory holds at most one part twice, and a tensor that the file
/// has in `dtype` and in one part shares the file's memory and must never be written to. To a GPU
/// several threads read, and host memory holds 16 MiB for each of them (transfer.h). `progress`, if
/// any, is called at most about 100 times, at last with done == total; what it throws ends the
/// loading.
WeightStore load_weights(const std::string& where, const TensorSource& source,
                         const std::vector<Recipe>& recipes, const UnusedNames& unused,
                         at::Device device, at::ScalarType dtype,
                         const LoadProgress& progress = nullptr);

/// The same into tensors that are there: `targets` holds one for each recipe under its internal
/// name, contiguous, of the recipe's shape, each of any float dtype and on the CPU or the one GPU.
void load_weights_into(const std::map<std::string, at::Tensor>& targets, const std::string& where,
                       const TensorSource& source, const std::vector<Recipe>& recipes,
                       const UnusedNames& unused, const LoadProgress& progress = nullptr);

}  // namespace reel::weights
