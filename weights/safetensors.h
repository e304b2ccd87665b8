// The safetensors format: a length (8 bytes, little-endian), a JSON header that names every
// tensor's dtype, shape and byte range, then the bytes of all tensors without a gap.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

#include "core/output_file.h"
#include "weights/tensor_source.h"

namespace reel::weights {

/// Maps the file `path` and checks its whole header before any tensor is used: lengths against the
/// file's size, JSON without repeated keys, known dtypes, shapes that fit their byte ranges, ranges
/// that neither leave the file nor overlap nor leave holes.
/// Throws WeightError, one line with file and tensor, for the first thing that is wrong.
TensorSource open_safetensors(const std::filesystem::path& path);

/// Appends `tensors` (any device, any strides, a dtype of the format) and `metadata` to an empty
/// `file`; the caller commits it. Throws IoError if writing fails.
void write_safetensors(OutputFile& file, const std::map<std::string, at::Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// The same to `path` at once, with OutputFile's rules and errors; a file of that name is replaced.
void save_safetensors(const std::filesystem::path& path,
                      const std::map<std::string, at::Tensor>& tensors,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace reel::weights
