// The tensors that a weight file, or a set of shards, offers, before any of them is used.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "weights/mapped_file.h"

namespace reel::weights {

/// Where a tensor lies in a file and how its bytes are to be read.
struct TensorInfo {
  std::string name;
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  ///< in elements, not negative; one for each dimension
  std::shared_ptr<const MappedFile> file;
  uint64_t offset = 0;  ///< of the first element, in bytes from the beginning of the file
  uint64_t bytes = 0;   ///< of all elements
};

/// What says that two runs used the same weight file without reading all of it.
struct FileIdentity {
  std::string path;
  uint64_t bytes = 0;
  std::string header_sha256;  ///< of the part that describes the tensors
};

/// Tensors by name, in the order of their file. Cheap to copy; keeps its files mapped.
class TensorSource {
 public:
  /// Throws WeightError if a name occurs twice. `where` stands for the source in errors.
  TensorSource(std::string where, std::vector<TensorInfo> infos, std::vector<FileIdentity> files,
               std::map<std::string, std::string> metadata = {});

  const std::string& where() const { return contents_->where; }
  const std::vector<TensorInfo>& infos() const { return contents_->infos; }
  const std::vector<FileIdentity>& files() const { return contents_->files; }

  /// The strings that a safetensors file carries beside its tensors.
  const std::map<std::string, std::string>& metadata() const { return contents_->metadata; }

  /// None if there is no such tensor; else it lives as long as this source.
  const TensorInfo* find(const std::string& name) const;

  /// The tensor of that name on the CPU, in its stored shape, strides and dtype. It shares the
  /// file's memory, which it keeps mapped, and must never be written to; only elements at addresses
  /// that their dtype does not allow are copied. Throws WeightError if there is no such tensor or
  /// if its dtype is an 8-bit float.
  at::Tensor tensor(const std::string& name) const;

 private:
  struct Contents {
    std::string where;
    std::vector<TensorInfo> infos;
    std::vector<FileIdentity> files;
    std::map<std::string, std::string> metadata;
    std::unordered_map<std::string, size_t> index;
  };
  std::shared_ptr<const Contents> contents_;
};

/// "layers.0.weight in model.safetensors", for errors.
std::string describe(const TensorInfo& info);

/// The bytes of a dense tensor, or none if a dimension is negative or if the product of the others
/// (a 0 counted as 1) passes 2^62.
std::optional<uint64_t> dense_bytes(const std::vector<int64_t>& shape, at::ScalarType dtype);

/// The strides, in elements, of a row-major tensor whose dense_bytes() exist.
std::vector<int64_t> contiguous_strides(const std::vector<int64_t>& shape);

/// Throws WeightError, naming the tensor, unless this program can compute with its dtype: of the
/// dtypes that files may hold, only the 8-bit floats are refused.
void check_usable_dtype(const TensorInfo& info);

}  // namespace reel::weights
