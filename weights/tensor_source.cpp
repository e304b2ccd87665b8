#include "weights/tensor_source.h"

#include <ATen/ops/empty_strided.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/printable.h"

namespace reel::weights {
namespace {

// Bytes from the first element to behind the last; the file was checked to hold them.
size_t extent(const TensorInfo& info) {
  if (info.bytes == 0) return 0;
  size_t last = 0;
  for (size_t i = 0; i < info.shape.size(); ++i) {
    last += static_cast<size_t>((info.shape[i] - 1) * info.strides[i]);
  }
  return (last + 1) * c10::elementSize(info.dtype);
}

// Reading a C++ bool that is neither 0 nor 1 is undefined.
void check_bools(const TensorInfo& info, const char* begin) {
  if (std::any_of(begin, begin + extent(info), [](char byte) { return byte != 0 && byte != 1; })) {
    fail<WeightError>(describe(info), ": not a truth value: want bytes of 0 and 1 only");
  }
}

}  // namespace

TensorSource::TensorSource(std::string where, std::vector<TensorInfo> infos,
                           std::vector<FileIdentity> files,
                           std::map<std::string, std::string> metadata) {
  auto contents = std::make_shared<Contents>();
  contents->where = std::move(where);
  contents->infos = std::move(infos);
  contents->files = std::move(files);
  contents->metadata = std::move(metadata);
  for (size_t i = 0; i < contents->infos.size(); ++i) {
    const auto& info = contents->infos[i];
    const auto [first, is_new] = contents->index.emplace(info.name, i);
    if (!is_new) {
      fail<WeightError>(contents->where, ": two tensors have the same name: ", describe(info),
                        " and ", describe(contents->infos[first->second]));
    }
  }
  contents_ = std::move(contents);
}

const TensorInfo* TensorSource::find(const std::string& name) const {
  const auto found = contents_->index.find(name);
  return found == contents_->index.end() ? nullptr : &contents_->infos[found->second];
}

at::Tensor TensorSource::tensor(const std::string& name) const {
  const TensorInfo* info = find(name);
  if (info == nullptr) fail<WeightError>(where(), ": no tensor named ", printable(name));
  check_usable_dtype(*info);
  const char* begin = info->file->bytes().data() + info->offset;
  if (info->dtype == at::kBool) check_bools(*info, begin);
  const size_t alignment = std::min<size_t>(c10::elementSize(info->dtype), 8);
  const auto options = at::TensorOptions().dtype(info->dtype);
  if (reinterpret_cast<uintptr_t>(begin) % alignment != 0) {
    at::Tensor copy = at::empty_strided(info->shape, info->strides, options);
    std::memcpy(copy.data_ptr(), begin, extent(*info));
    return copy;
  }
  // The tensors are never written to, so that casting const away stays without effect.
  return at::from_blob(
      const_cast<char*>(begin), info->shape, info->strides, [file = info->file](void*) {}, options);
}

std::string describe(const TensorInfo& info) {
  const std::string file = info.file ? info.file->path().filename().string() : "memory";
  return printable(info.name) + " in " + printable(file);
}

std::optional<uint64_t> dense_bytes(const std::vector<int64_t>& shape, at::ScalarType dtype) {
  constexpr uint64_t kMost = uint64_t{1} << 62;
  uint64_t bytes = c10::elementSize(dtype);
  bool is_empty = false;
  for (const int64_t size : shape) {
    if (size < 0) return std::nullopt;
    is_empty = is_empty || size == 0;
    const auto factor = static_cast<uint64_t>(std::max<int64_t>(size, 1));
    if (bytes > kMost / factor) return std::nullopt;
    bytes *= factor;
  }
  return is_empty ? 0 : bytes;
}

std::vector<int64_t> contiguous_strides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

void check_usable_dtype(const TensorInfo& info) {
  if (c10::isFloat8Type(info.dtype)) {
    fail<WeightError>(describe(info), ": 8-bit floats are not supported: got ",
                      c10::toString(info.dtype), ", want bf16, fp16 or fp32 weights");
  }
}

}  // namespace reel::weights
