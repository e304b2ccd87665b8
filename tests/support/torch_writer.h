// Writes .pt files that torch.load reads, and parts of them, so that tests can break each part.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/zip_writer.h"

namespace reel::testing {

/// Appends the opcodes of a pickle (protocol 2).
class PickleWriter {
 public:
  PickleWriter() : bytes_("\x80\x02") {}

  PickleWriter& raw(const std::string& opcodes);
  PickleWriter& text(const std::string& value);
  PickleWriter& integer(int64_t value);
  PickleWriter& tuple(const std::vector<int64_t>& values);
  PickleWriter& global(const std::string& module, const std::string& name);

  /// A call that rebuilds a tensor of `sizes` and `strides` from element `first` of storage `key`.
  PickleWriter& tensor(const std::string& storage_type, const std::string& key,
                       int64_t storage_size, int64_t first, const std::vector<int64_t>& sizes,
                       const std::vector<int64_t>& strides);

  /// The pickle so far and its end.
  std::string finish() const { return bytes_ + "."; }

 private:
  std::string bytes_;
};

/// The records of an archive around `pickle`: "archive/data.pkl", the storages "archive/data/<i>"
/// in order, and what torch.save adds.
std::vector<ZipFile> torch_records(const std::string& pickle,
                                   const std::vector<std::string>& storages);

/// Writes `tensors` (fp32, fp16, bf16 or int64), one storage each, as a state dict inside dicts
/// with the keys of `wrappers`, outermost first, which torch.load reads.
void save_torch_archive(const std::filesystem::path& path,
                        const std::map<std::string, at::Tensor>& tensors,
                        const std::vector<std::string>& wrappers = {});

}  // namespace reel::testing
