// A model in several safetensors files with an index beside them: {"weight_map": {tensor: file}}.
#pragma once

#include <filesystem>

#include "weights/tensor_source.h"

namespace reel::weights {

/// Opens every file that the index `path` (*.safetensors.index.json) names; they lie in its folder.
/// Throws WeightError, with all problems at once, if a shard is missing or damaged, or if index and
/// shards do not name the same tensors.
TensorSource open_sharded_safetensors(const std::filesystem::path& path);

}  // namespace reel::weights
