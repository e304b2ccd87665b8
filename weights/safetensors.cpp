#include "weights/safetensors.h"

#include <c10/core/ScalarType.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/error.h"
#include "core/printable.h"
#include "core/sha256.h"
#include "core/strict_json.h"
#include "weights/safetensors_dtypes.h"

namespace reel::weights {
namespace {

static_assert(std::endian::native == std::endian::little, "weights are read as they lie in files");

using Json = nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kLongestHeader = 100'000'000;  // the limit of the published reader

// A tensor's entry in the header while it is checked.
class Entry {
 public:
  Entry(const MappedFile& file, const std::string& name, const Json& value)
      : file_(file), name_(name), value_(value) {}

  TensorInfo read(uint64_t data_begin, uint64_t data_bytes) const;

 private:
  template <typename... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail<WeightError>(file_.path().string(), ": ", printable(name_), ": ", parts...);
  }

  const Json& member(const char* key) const {
    if (!value_.contains(key)) refuse(key, " is missing");
    return value_[key];
  }

  std::vector<uint64_t> whole_numbers(const char* key) const;

  const MappedFile& file_;
  const std::string& name_;
  const Json& value_;
};

std::vector<uint64_t> Entry::whole_numbers(const char* key) const {
  const Json& list = member(key);
  if (!list.is_array()) refuse(key, " is not an array");
  std::vector<uint64_t> numbers;
  for (const auto& item : list) {
    // Half of the range, so that sums and conversions to int64_t cannot overflow.
    if (!item.is_number_unsigned() || item.get<uint64_t>() >> 62 != 0) {
      refuse(key, " has something else than whole numbers");
    }
    numbers.push_back(item.get<uint64_t>());
  }
  return numbers;
}

TensorInfo Entry::read(uint64_t data_begin, uint64_t data_bytes) const {
  if (!value_.is_object()) refuse("its entry in the header is not an object");
  for (const auto& [key, ignored] : value_.items()) {
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      refuse("unknown key in its entry: ", printable(key));
    }
  }
  TensorInfo info;
  info.name = name_;
  const Json& dtype = member("dtype");
  const auto known =
      dtype.is_string() ? dtype_of_safetensors(dtype.get<std::string>()) : std::nullopt;
  if (!known) {
    refuse("unknown dtype: got ",
           printable(dtype.dump(-1, ' ', false, Json::error_handler_t::replace)));
  }
  info.dtype = *known;
  for (const uint64_t size : whole_numbers("shape")) {
    info.shape.push_back(static_cast<int64_t>(size));
  }
  const auto offsets = whole_numbers("data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    refuse("data_offsets is not a pair [begin, end]");
  }
  if (offsets[1] > data_bytes) {
    refuse("its bytes end behind the end of the file: got ", offsets[1], " of ", data_bytes,
           " bytes of data; is the file complete?");
  }
  const auto want = dense_bytes(info.shape, info.dtype);
  if (!want || *want != offsets[1] - offsets[0]) {
    refuse("shape and byte range disagree: got ", offsets[1] - offsets[0], " bytes, want ",
           want ? std::to_string(*want) : "more than any file has");
  }
  info.strides = contiguous_strides(info.shape);
  info.offset = data_begin + offsets[0];
  info.bytes = *want;
  return info;
}

std::map<std::string, std::string> read_metadata(const std::string& file, const Json& header) {
  std::map<std::string, std::string> metadata;
  if (!header.contains("__metadata__")) return metadata;
  const Json& object = header["__metadata__"];
  if (!object.is_object()) fail<WeightError>(file, ": __metadata__ is not an object");
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string()) {
      fail<WeightError>(file, ": __metadata__: ", printable(key), " is not a string");
    }
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

// The ranges must follow each other from the first byte of data to the last.
void check_tiling(const MappedFile& file, const std::vector<TensorInfo>& infos,
                  uint64_t data_begin) {
  const auto refuse = [&](const TensorInfo& info, const auto&... parts) {
    fail<WeightError>(file.path().string(), ": ", printable(info.name), ": ", parts...);
  };
  uint64_t end = data_begin;
  const TensorInfo* previous = nullptr;
  for (const auto& info : infos) {
    if (info.offset < end) refuse(info, "its bytes overlap those of ", printable(previous->name));
    if (info.offset > end) refuse(info, info.offset - end, " bytes before it belong to no tensor");
    end = info.offset + info.bytes;
    previous = &info;
  }
  if (end != file.size()) {
    fail<WeightError>(file.path().string(), ": ", file.size() - end,
                      " bytes at its end belong to no tensor");
  }
}

std::string_view header_text(const MappedFile& file) {
  const std::string where = file.path().string();
  if (file.size() < kLengthBytes) {
    fail<WeightError>(where, ": too short for a safetensors file: got ", file.size(), " bytes");
  }
  uint64_t length = 0;
  std::memcpy(&length, file.bytes().data(), kLengthBytes);
  if (length > kLongestHeader || length > file.size() - kLengthBytes) {
    fail<WeightError>(where, ": not a safetensors file, or cut off: got a header of ", length,
                      " bytes in a file of ", file.size());
  }
  return {file.bytes().data() + kLengthBytes, static_cast<size_t>(length)};
}

}  // namespace

TensorSource open_safetensors(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const std::string where = path.string();
  const std::string_view text = header_text(*file);
  const Json header = parse_strict_json(
      text, [&](const std::string& message) { fail<WeightError>(where, ": header: ", message); });
  if (!header.is_object()) fail<WeightError>(where, ": the header is not a JSON object");
  const uint64_t data_begin = kLengthBytes + text.size();
  std::vector<TensorInfo> infos;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") continue;
    infos.push_back(Entry(*file, name, value).read(data_begin, file->size() - data_begin));
    infos.back().file = file;
  }
  std::stable_sort(infos.begin(), infos.end(), [](const auto& a, const auto& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  check_tiling(*file, infos, data_begin);
  return {
      where, std::move(infos), {{where, file->size(), sha256(text)}}, read_metadata(where, header)};
}

}  // namespace reel::weights
