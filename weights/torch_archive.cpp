#include "weights/torch_archive.h"

#include <c10/core/ScalarType.h>

#include <array>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/printable.h"
#include "core/sha256.h"
#include "weights/pickle.h"
#include "weights/zip_directory.h"

namespace reel::weights {
namespace {

using Kind = PickleValue::Kind;

constexpr uint64_t kLongestPickle = 16 << 20;  // the full model's has less than 1 MB

constexpr std::string_view kRebuildTensor = "torch._utils _rebuild_tensor_v2";
constexpr std::string_view kRebuildTensorWithDtype = "torch._utils _rebuild_tensor_v3";
constexpr std::string_view kRebuildParameter = "torch._utils _rebuild_parameter";
constexpr std::string_view kUntypedStorage = "torch.storage UntypedStorage";

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 10> kStorages{{
    {"torch FloatStorage", at::kFloat},
    {"torch HalfStorage", at::kHalf},
    {"torch BFloat16Storage", at::kBFloat16},
    {"torch DoubleStorage", at::kDouble},
    {"torch LongStorage", at::kLong},
    {"torch IntStorage", at::kInt},
    {"torch ShortStorage", at::kShort},
    {"torch CharStorage", at::kChar},
    {"torch ByteStorage", at::kByte},
    {"torch BoolStorage", at::kBool},
}};

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 16> kDtypes{{
    {"torch float32", at::kFloat},
    {"torch float16", at::kHalf},
    {"torch bfloat16", at::kBFloat16},
    {"torch float64", at::kDouble},
    {"torch int64", at::kLong},
    {"torch int32", at::kInt},
    {"torch int16", at::kShort},
    {"torch int8", at::kChar},
    {"torch uint8", at::kByte},
    {"torch uint16", at::kUInt16},
    {"torch uint32", at::kUInt32},
    {"torch uint64", at::kUInt64},
    {"torch bool", at::kBool},
    {"torch float8_e4m3fn", at::kFloat8_e4m3fn},
    {"torch float8_e5m2", at::kFloat8_e5m2},
    {"torch float8_e8m0fnu", at::kFloat8_e8m0fnu},
}};

// All that a state dict may mention.
std::vector<std::string_view> known_globals() {
  std::vector<std::string_view> names{
      "collections OrderedDict", "torch Size",      kRebuildTensor,
      kRebuildTensorWithDtype,   kRebuildParameter, kUntypedStorage};
  for (const auto& [name, dtype] : kStorages) names.push_back(name);
  for (const auto& [name, dtype] : kDtypes) names.push_back(name);
  return names;
}

template <size_t kSize>
std::optional<at::ScalarType> look_up(
    const std::array<std::pair<std::string_view, at::ScalarType>, kSize>& table,
    std::string_view name) {
  for (const auto& [known, dtype] : table) {
    if (known == name) return dtype;
  }
  return std::nullopt;
}

// The records of an archive by their name below its root folder.
class Records {
 public:
  explicit Records(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {
    const auto entries = read_zip_directory(*file_);
    const std::string root = find_root(entries);
    for (const auto& entry : entries) {
      if (entry.name.starts_with(root)) by_name_[entry.name.substr(root.size())] = entry;
    }
  }

  const ZipEntry* find(const std::string& name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &found->second;
  }

  std::string_view view(const ZipEntry& entry) const {
    return {file_->bytes().data() + entry.offset, static_cast<size_t>(entry.bytes)};
  }

  const std::shared_ptr<const MappedFile>& file() const { return file_; }

 private:
  // "archive/" of the one "archive/data.pkl".
  std::string find_root(const std::vector<ZipEntry>& entries) const {
    const ZipEntry* pickle = nullptr;
    for (const auto& entry : entries) {
      const size_t slash = entry.name.find('/');
      if (slash == std::string::npos || entry.name.substr(slash) != "/data.pkl") continue;
      if (pickle != nullptr) {
        fail<WeightError>(file_->path().string(), ": two pickles: ", printable(pickle->name),
                          " and ", printable(entry.name));
      }
      pickle = &entry;
    }
    if (pickle == nullptr) {
      fail<WeightError>(file_->path().string(),
                        ": a zip archive without data.pkl: want a file that torch.save wrote");
    }
    return pickle->name.substr(0, pickle->name.find('/') + 1);
  }

  std::shared_ptr<const MappedFile> file_;
  std::unordered_map<std::string, ZipEntry> by_name_;
};

// Elements of one storage in the archive. An untyped one counts in bytes.
struct Storage {
  std::optional<at::ScalarType> dtype;
  const ZipEntry* record = nullptr;
};

// Turns one entry of the state dict into the place of its elements.
class TensorReader {
 public:
  TensorReader(const Records& records, std::string name)
      : records_(records), name_(std::move(name)) {}

  // None if `value` is not a tensor.
  std::optional<TensorInfo> read(const PickleValue& value) const;

 private:
  template <typename... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail<WeightError>(records_.file()->path().string(), ": ", printable(name_), ": ", parts...);
  }

  int64_t whole_number(const PickleValue& value, const char* what) const;
  std::vector<int64_t> whole_numbers(const PickleValue& value, const char* what) const;
  Storage storage(const PickleValue& value) const;
  void check_extent(const TensorInfo& info, int64_t first_element, const ZipEntry& record) const;

  const Records& records_;
  std::string name_;
};

int64_t TensorReader::whole_number(const PickleValue& value, const char* what) const {
  if (!value.is(Kind::kInteger) || value.integer < 0) refuse(what, " is not a whole number");
  return value.integer;
}

std::vector<int64_t> TensorReader::whole_numbers(const PickleValue& value, const char* what) const {
  if (!value.is(Kind::kTuple) || value.items.size() > 16) {
    refuse(what, " is not a tuple of at most 16 numbers");
  }
  std::vector<int64_t> numbers;
  for (const auto* item : value.items) numbers.push_back(whole_number(*item, what));
  return numbers;
}

// The id is ("storage", type, key, device, number of elements).
Storage TensorReader::storage(const PickleValue& value) const {
  if (!value.is(Kind::kPersistent) || !value.items[0]->is(Kind::kTuple) ||
      value.items[0]->items.size() != 5) {
    refuse("it has no storage");
  }
  const auto& id = value.items[0]->items;
  if (!id[0]->is(Kind::kText) || id[0]->text != "storage" || !id[1]->is(Kind::kGlobal) ||
      !id[2]->is(Kind::kText)) {
    refuse("its storage is not described as torch.save does");
  }
  Storage storage;
  storage.dtype = look_up(kStorages, id[1]->text);
  if (!storage.dtype && id[1]->text != kUntypedStorage) {
    refuse("not a type of storage: ", id[1]->text);
  }
  const std::string record = "data/" + std::string(id[2]->text);
  storage.record = records_.find(record);
  if (storage.record == nullptr)
    refuse("its storage ", printable(record), " is not in the archive");
  const int64_t count = whole_number(*id[4], "the size of its storage");
  const auto want = dense_bytes({count}, storage.dtype.value_or(at::kByte));
  if (want != storage.record->bytes) {
    refuse("its storage ", printable(record), " has another size: got ", storage.record->bytes,
           " bytes, want ", want ? std::to_string(*want) : "more than any file has");
  }
  return storage;
}

// The last element of a view must lie in its storage.
void TensorReader::check_extent(const TensorInfo& info, int64_t first_element,
                                const ZipEntry& record) const {
  const uint64_t num_elements = record.bytes / c10::elementSize(info.dtype);
  uint64_t end = static_cast<uint64_t>(first_element);
  if (info.bytes > 0) {
    ++end;
    for (size_t i = 0; i < info.shape.size(); ++i) {
      const auto steps = static_cast<uint64_t>(info.shape[i] - 1);
      const auto stride = static_cast<uint64_t>(info.strides[i]);
      if (steps != 0 && stride > num_elements / steps) refuse("it reaches beyond its storage");
      end += steps * stride;  // at most 16 times num_elements: no overflow
    }
  }
  if (static_cast<uint64_t>(first_element) > num_elements || end > num_elements) {
    refuse("it reaches beyond its storage: got ", end, " elements, want at most ", num_elements);
  }
}

std::optional<TensorInfo> TensorReader::read(const PickleValue& value) const {
  const PickleValue* call = &value;
  const auto arguments = [&] { return call->items[1]->items; };
  if (call->is(Kind::kCall) && call->items[0]->text == kRebuildParameter) {
    if (arguments().empty()) refuse("a parameter without a tensor");
    call = arguments()[0];
  }
  if (!call->is(Kind::kCall)) return std::nullopt;
  const bool has_dtype = call->items[0]->text == kRebuildTensorWithDtype;
  if (!has_dtype && call->items[0]->text != kRebuildTensor) return std::nullopt;
  const auto& list = call->items[1]->items;
  if (list.size() < (has_dtype ? 7 : 6)) refuse("too few arguments for a tensor");

  const Storage source = storage(*list[0]);
  TensorInfo info;
  info.name = name_;
  if (has_dtype) {
    const auto dtype = list[6]->is(Kind::kGlobal) ? look_up(kDtypes, list[6]->text) : std::nullopt;
    if (!dtype) refuse("unknown dtype");
    info.dtype = *dtype;
  } else if (source.dtype) {
    info.dtype = *source.dtype;
  } else {
    refuse("its storage does not say which dtype it has");
  }
  const int64_t first_element = whole_number(*list[1], "its offset");
  info.shape = whole_numbers(*list[2], "its shape");
  info.strides = whole_numbers(*list[3], "its strides");
  if (info.shape.size() != info.strides.size()) refuse("its shape and strides differ in length");
  const auto bytes = dense_bytes(info.shape, info.dtype);
  if (!bytes) refuse("its shape is larger than any file");
  info.bytes = *bytes;
  check_extent(info, first_element, *source.record);
  info.file = records_.file();
  info.offset =
      source.record->offset + static_cast<uint64_t>(first_element) * c10::elementSize(info.dtype);
  return info;
}

const PickleValue& find_state_dict(const std::string& where, const PickleValue& root) {
  const PickleValue* dict = &root;
  if (!dict->is(Kind::kDict)) fail<WeightError>(where, ": not a dict of tensors");
  constexpr int kDeepest = 4;  // a dict may contain itself
  for (int depth = 0; depth < kDeepest; ++depth) {
    const PickleValue* inner = nullptr;
    for (const std::string_view key : {"module", "ema", "state_dict"}) {
      const PickleValue* value = dict->find(key);
      if (inner == nullptr && value != nullptr && value->is(Kind::kDict)) inner = value;
    }
    if (inner == nullptr) return *dict;
    dict = inner;
  }
  fail<WeightError>(where, ": dicts named module, ema or state_dict without end");
}

void check_byte_order(const std::string& where, const Records& records) {
  const ZipEntry* entry = records.find("byteorder");
  if (entry == nullptr) return;  // files of older versions: always little-endian in practice
  const auto order = records.view(*entry);
  if (order != "little") {
    fail<WeightError>(where, ": wrong byte order: got ", printable(order), ", want little");
  }
}

}  // namespace

TensorSource open_torch_archive(const std::filesystem::path& path) {
  const std::string where = path.string();
  const auto file = MappedFile::open(path);
  if (!looks_like_zip(*file)) {
    const bool is_pickle = file->size() > 0 && file->bytes()[0] == '\x80';
    fail<WeightError>(where, is_pickle
                                 ? ": a PyTorch file in the format of before version 1.6; load "
                                   "and save it again with a newer torch"
                                 : ": not a PyTorch file (a zip archive with a data.pkl)");
  }
  const Records records(file);
  check_byte_order(where, records);
  const ZipEntry* pickle_entry = records.find("data.pkl");
  if (pickle_entry->bytes > kLongestPickle) {
    fail<WeightError>(where, ": data.pkl is too long: got ", pickle_entry->bytes,
                      " bytes, want at most ", kLongestPickle);
  }
  const auto pickle_bytes = records.view(*pickle_entry);
  const auto globals = known_globals();
  const Pickle pickle(pickle_bytes, where + ": data.pkl", globals);
  const PickleValue& state_dict = find_state_dict(where, pickle.root());

  std::vector<TensorInfo> infos;
  for (size_t i = 0; i + 1 < state_dict.items.size(); i += 2) {
    const PickleValue& key = *state_dict.items[i];
    if (!key.is(Kind::kText)) fail<WeightError>(where, ": a key of the state dict is not text");
    const TensorReader reader(records, std::string(key.text));
    if (auto info = reader.read(*state_dict.items[i + 1])) infos.push_back(std::move(*info));
  }
  return {where, std::move(infos), {{where, file->size(), sha256(pickle_bytes)}}};
}

}  // namespace reel::weights
