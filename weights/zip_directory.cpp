#include "weights/zip_directory.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "core/error.h"
#include "core/printable.h"

// Record layouts and signatures: PKWARE's APPNOTE 6.3, sections 4.3.7 (local header), 4.3.12
// (central header), 4.3.14 to 4.3.16 (ends of the directory), 4.5.3 (zip64 fields).
namespace reel::weights {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kCentralHeader = 0x02014b50;
constexpr uint32_t kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50;
constexpr uint32_t kLocator64 = 0x07064b50;
constexpr uint64_t kEndBytes = 22;
constexpr uint64_t kEnd64Bytes = 56;
constexpr uint64_t kLocator64Bytes = 20;
constexpr uint64_t kLocalHeaderBytes = 30;
constexpr uint64_t kCentralHeaderBytes = 46;

class Archive {
 public:
  explicit Archive(const MappedFile& file) : file_(file) {}

  template <typename... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail<WeightError>(file_.path().string(), ": ", parts...);
  }

  uint64_t size() const { return file_.size(); }

  bool holds(uint64_t offset, uint64_t bytes) const {
    return offset <= size() && bytes <= size() - offset;
  }

  // `bytes` at `offset`, which must lie in the file.
  std::string_view view(uint64_t offset, uint64_t bytes, const char* what) const {
    if (!holds(offset, bytes)) {
      refuse("damaged zip archive: ", what, " leaves the file; is the file complete?");
    }
    return {file_.bytes().data() + offset, static_cast<size_t>(bytes)};
  }

 private:
  const MappedFile& file_;
};

template <typename Number>
Number number_at(std::string_view record, size_t offset) {
  Number value;
  std::memcpy(&value, record.substr(offset).data(), sizeof(value));
  return value;
}

uint32_t u32(std::string_view record, size_t offset) {
  return number_at<uint32_t>(record, offset);
}
uint64_t u64(std::string_view record, size_t offset) {
  return number_at<uint64_t>(record, offset);
}
uint64_t u16(std::string_view record, size_t offset) {
  return number_at<uint16_t>(record, offset);
}

struct Directory {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t num_entries = 0;
};

// The end record is the last thing in the file but for a comment of at most 65,535 bytes.
uint64_t find_end(const Archive& archive) {
  if (archive.size() >= kEndBytes) {
    const uint64_t last = archive.size() - kEndBytes;
    const uint64_t first = last > 0xffff ? last - 0xffff : 0;
    for (uint64_t offset = last + 1; offset-- > first;) {
      const auto record = archive.view(offset, kEndBytes, "its end");
      if (u32(record, 0) == kEnd && offset + kEndBytes + u16(record, 20) == archive.size()) {
        return offset;
      }
    }
  }
  archive.refuse("damaged zip archive: it has no directory at its end; is the file complete?");
}

Directory find_directory(const Archive& archive) {
  const uint64_t end_offset = find_end(archive);
  const auto end = archive.view(end_offset, kEndBytes, "its end");
  Directory directory{u32(end, 16), u32(end, 12), u16(end, 10)};
  bool one_disk = u16(end, 4) == u16(end, 6) && u16(end, 8) == u16(end, 10);
  if (end_offset >= kLocator64Bytes) {
    const auto locator = archive.view(end_offset - kLocator64Bytes, kLocator64Bytes, "its locator");
    if (u32(locator, 0) == kLocator64) {
      const auto end64 = archive.view(u64(locator, 8), kEnd64Bytes, "its zip64 end record");
      if (u32(end64, 0) != kEnd64) archive.refuse("damaged zip archive: no zip64 end record");
      directory = {u64(end64, 48), u64(end64, 40), u64(end64, 32)};
      one_disk = u32(end64, 16) == u32(end64, 20) && u64(end64, 24) == u64(end64, 32);
    }
  }
  if (!one_disk) archive.refuse("a zip archive in several volumes is not supported");
  return directory;
}

// Fields of a central header that zip64 may move to the extra field, in the order they have there.
struct WideFields {
  uint64_t uncompressed;
  uint64_t compressed;
  uint64_t local_offset;
};

void read_zip64_extra(const Archive& archive, std::string_view extra, WideFields& fields) {
  constexpr uint64_t kMoved = 0xffffffff;
  if (fields.uncompressed != kMoved && fields.compressed != kMoved &&
      fields.local_offset != kMoved) {
    return;
  }
  while (extra.size() >= 4) {
    const size_t bytes = u16(extra, 2);
    const bool is_zip64 = u16(extra, 0) == 1;
    extra.remove_prefix(4);
    if (bytes > extra.size()) break;
    if (is_zip64) {
      auto values = extra.substr(0, bytes);
      for (uint64_t* field : {&fields.uncompressed, &fields.compressed, &fields.local_offset}) {
        if (*field != kMoved) continue;
        if (values.size() < 8) archive.refuse("damaged zip archive: its zip64 field is too short");
        *field = u64(values, 0);
        values.remove_prefix(8);
      }
      return;
    }
    extra.remove_prefix(bytes);
  }
  archive.refuse("damaged zip archive: a zip64 field is missing");
}

// One entry of the directory at `at`, which is moved behind it.
ZipEntry read_entry(const Archive& archive, const Directory& directory, uint64_t& at) {
  const auto header = archive.view(at, kCentralHeaderBytes, "its directory");
  if (u32(header, 0) != kCentralHeader) {
    archive.refuse("damaged zip archive: its directory ends early");
  }
  const uint64_t name_bytes = u16(header, 28);
  const uint64_t extra_bytes = u16(header, 30);
  at += kCentralHeaderBytes;
  ZipEntry entry;
  entry.name = archive.view(at, name_bytes, "a name");
  WideFields fields{u32(header, 24), u32(header, 20), u32(header, 42)};
  read_zip64_extra(archive, archive.view(at + name_bytes, extra_bytes, "a field"), fields);
  at += name_bytes + extra_bytes + u16(header, 32);

  const std::string name = printable(entry.name);
  if ((u16(header, 8) & 1) != 0) archive.refuse(name, ": encrypted");
  if (u16(header, 10) != 0 || fields.compressed != fields.uncompressed) {
    archive.refuse(name, ": compressed, which torch.save never does: want it stored as it is");
  }
  const auto local = archive.view(fields.local_offset, kLocalHeaderBytes, "a file's header");
  if (u32(local, 0) != kLocalHeader) {
    archive.refuse(name, ": damaged zip archive: the directory points to something else");
  }
  const uint64_t local_name = fields.local_offset + kLocalHeaderBytes;
  if (archive.view(local_name, u16(local, 26), "a name") != entry.name) {
    archive.refuse(name, ": damaged zip archive: it has another name in its own header");
  }
  entry.offset = local_name + u16(local, 26) + u16(local, 28);
  entry.bytes = fields.uncompressed;
  if (entry.offset > directory.offset || entry.bytes > directory.offset - entry.offset) {
    archive.refuse(name, ": damaged zip archive: its bytes reach into the directory");
  }
  return entry;
}

}  // namespace

bool looks_like_zip(const MappedFile& file) {
  return file.size() >= 4 && u32({file.bytes().data(), 4}, 0) == kLocalHeader;
}

std::vector<ZipEntry> read_zip_directory(const MappedFile& file) {
  const Archive archive(file);
  const Directory directory = find_directory(archive);
  archive.view(directory.offset, directory.bytes, "its directory");
  if (directory.num_entries > directory.bytes / kCentralHeaderBytes) {
    archive.refuse("damaged zip archive: it claims ", directory.num_entries, " files in ",
                   directory.bytes, " bytes of directory");
  }
  std::vector<ZipEntry> entries;
  std::unordered_set<std::string> names;
  uint64_t at = directory.offset;
  for (uint64_t i = 0; i < directory.num_entries; ++i) {
    entries.push_back(read_entry(archive, directory, at));
    if (!names.insert(entries.back().name).second) {
      archive.refuse(printable(entries.back().name), ": appears twice in the archive");
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  for (size_t i = 1; i < entries.size(); ++i) {
    if (entries[i - 1].offset + entries[i - 1].bytes > entries[i].offset) {
      archive.refuse(printable(entries[i].name),
                     ": damaged zip archive: its bytes overlap those of ",
                     printable(entries[i - 1].name));
    }
  }
  return entries;
}

}  // namespace reel::weights
