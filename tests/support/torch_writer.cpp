#include "tests/support/torch_writer.h"

#include <c10/core/ScalarType.h>

#include <fstream>
#include <stdexcept>

namespace reel::testing {
namespace {

std::string little_endian(uint64_t value, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

std::string storage_type(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "FloatStorage";
    case at::kHalf:
      return "HalfStorage";
    case at::kBFloat16:
      return "BFloat16Storage";
    case at::kLong:
      return "LongStorage";
    default:
      throw std::invalid_argument("storage_type: unexpected dtype");
  }
}

}  // namespace

PickleWriter& PickleWriter::raw(const std::string& opcodes) {
  bytes_ += opcodes;
  return *this;
}

PickleWriter& PickleWriter::text(const std::string& value) {
  return raw("X").raw(little_endian(value.size(), 4)).raw(value);
}

PickleWriter& PickleWriter::integer(int64_t value) {
  return raw("\x8a\x08").raw(little_endian(static_cast<uint64_t>(value), 8));
}

PickleWriter& PickleWriter::tuple(const std::vector<int64_t>& values) {
  raw("(");
  for (const int64_t value : values) integer(value);
  return raw("t");
}

PickleWriter& PickleWriter::global(const std::string& module, const std::string& name) {
  return raw("c").raw(module).raw("\n").raw(name).raw("\n");
}

PickleWriter& PickleWriter::tensor(const std::string& type, const std::string& key,
                                   int64_t storage_size, int64_t first,
                                   const std::vector<int64_t>& sizes,
                                   const std::vector<int64_t>& strides) {
  global("torch._utils", "_rebuild_tensor_v2").raw("((").text("storage").global("torch", type);
  text(key).text("cpu").integer(storage_size).raw("tQ");
  integer(first).tuple(sizes).tuple(strides).raw("\x89");
  return global("collections", "OrderedDict").raw(")RtR");
}

std::vector<ZipFile> torch_records(const std::string& pickle,
                                   const std::vector<std::string>& storages) {
  std::vector<ZipFile> records{{"archive/data.pkl", pickle}, {"archive/byteorder", "little"}};
  for (size_t i = 0; i < storages.size(); ++i) {
    records.push_back({"archive/data/" + std::to_string(i), storages[i]});
  }
  records.push_back({"archive/version", "3\n"});
  return records;
}

void save_torch_archive(const std::filesystem::path& path,
                        const std::map<std::string, at::Tensor>& tensors,
                        const std::vector<std::string>& wrappers) {
  PickleWriter pickle;
  for (const auto& wrapper : wrappers) pickle.raw("}").text(wrapper);
  pickle.global("collections", "OrderedDict").raw(")R(");
  std::vector<std::string> storages;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor whole = tensor.contiguous();
    pickle.text(name).tensor(storage_type(whole.scalar_type()), std::to_string(storages.size()),
                             whole.numel(), 0, whole.sizes().vec(), whole.strides().vec());
    storages.emplace_back(static_cast<const char*>(whole.data_ptr()), whole.nbytes());
  }
  pickle.raw("u");
  for (size_t i = 0; i < wrappers.size(); ++i) pickle.raw("s");
  std::ofstream stream(path, std::ios::binary);
  stream.exceptions(std::ios::failbit | std::ios::badbit);
  const std::string archive = zip_archive(torch_records(pickle.finish(), storages));
  stream.write(archive.data(), static_cast<std::streamsize>(archive.size()));
}

}  // namespace reel::testing
