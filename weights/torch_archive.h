// PyTorch's .pt files as torch.save has written them since version 1.6: an uncompressed zip archive
// with a pickle, <root>/data.pkl, and the raw elements of each storage, <root>/data/<key>.
#pragma once

#include <filesystem>

#include "weights/tensor_source.h"

namespace reel::weights {

/// Maps the file `path` and lists the tensors of its state dict: the one under "module", "ema" or
/// "state_dict" (the first of these that is there, also inside each other), else the outermost
/// dict. Values that are not tensors are left out. The pickle is read, never run; storages may be
/// shared between tensors, and every tensor's elements are checked to lie inside its storage.
/// Throws WeightError, one line, for the first thing that is wrong.
TensorSource open_torch_archive(const std::filesystem::path& path);

}  // namespace reel::weights
