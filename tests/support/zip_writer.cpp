#include "tests/support/zip_writer.h"

#include <array>
#include <cstdint>
#include <limits>

// Record layouts: PKWARE's APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16, 4.5.3.
namespace reel::testing {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kLocalHeaderBytes = 30;
constexpr uint16_t kPaddingField = 0x4246;  // what torch.save calls its padding

std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    table[byte] = byte;
    for (int bit = 0; bit < 8; ++bit) {
      table[byte] = (table[byte] >> 1) ^ ((table[byte] & 1) != 0 ? 0xedb88320 : 0);
    }
  }
  return table;
}

uint32_t crc32(const std::string& bytes) {
  static const std::array<uint32_t, 256> kTable = crc_table();
  uint32_t sum = 0xffffffff;
  for (const char byte : bytes) {
    sum = (sum >> 8) ^ kTable[(sum ^ static_cast<unsigned char>(byte)) & 0xff];
  }
  return ~sum;
}

// Appends little-endian numbers.
class Record {
 public:
  Record& u16(uint64_t value) { return append(value, 2); }
  Record& u32(uint64_t value) { return append(value, 4); }
  Record& u64(uint64_t value) { return append(value, 8); }
  Record& text(const std::string& value) {
    bytes_ += value;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  Record& append(uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
    return *this;
  }
  std::string bytes_;
};

// The fields that local and central headers share: versions, method 0, sum, sizes.
void add_description(Record& record, const ZipFile& file, uint64_t size_field) {
  record.u16(45).u16(0x0800).u16(0).u16(0).u16(0x21).u32(crc32(file.bytes));
  record.u32(size_field).u32(size_field).u16(file.name.size());
}

std::string local_header(const ZipFile& file, size_t offset) {
  const size_t begin = offset + kLocalHeaderBytes + file.name.size() + 4;
  const size_t padding = (kAlignment - begin % kAlignment) % kAlignment;
  Record record;
  record.u32(0x04034b50);
  add_description(record, file, file.bytes.size());
  record.u16(4 + padding).text(file.name);
  record.u16(kPaddingField).u16(padding).text(std::string(padding, 'Z'));
  return record.bytes();
}

std::string central_header(const ZipFile& file, size_t offset, ZipFields fields) {
  constexpr uint64_t kMoved = std::numeric_limits<uint32_t>::max();
  const bool wide = fields == ZipFields::k64;
  Record extra;
  if (wide) extra.u16(1).u16(24).u64(file.bytes.size()).u64(file.bytes.size()).u64(offset);
  Record record;
  record.u32(0x02014b50).u16(45);
  add_description(record, file, wide ? kMoved : file.bytes.size());
  record.u16(extra.bytes().size()).u16(0).u16(0).u16(0).u32(0).u32(wide ? kMoved : offset);
  return record.text(file.name).text(extra.bytes()).bytes();
}

std::string end_records(size_t count, size_t offset, size_t bytes, ZipFields fields) {
  Record record;
  if (fields == ZipFields::k64) {
    const size_t end64 = offset + bytes;
    record.u32(0x06064b50).u64(44).u16(45).u16(45).u32(0).u32(0);
    record.u64(count).u64(count).u64(bytes).u64(offset);
    record.u32(0x07064b50).u32(0).u64(end64).u32(1);
    record.u32(0x06054b50).u16(0).u16(0).u16(0xffff).u16(0xffff);
    return record.u32(0xffffffff).u32(0xffffffff).u16(0).bytes();
  }
  record.u32(0x06054b50).u16(0).u16(0).u16(count).u16(count);
  return record.u32(bytes).u32(offset).u16(0).bytes();
}

}  // namespace

std::string zip_archive(const std::vector<ZipFile>& files, ZipFields fields) {
  std::string archive;
  std::string directory;
  for (const auto& file : files) {
    directory += central_header(file, archive.size(), fields);
    archive += local_header(file, archive.size());
    archive += file.bytes;
  }
  const size_t offset = archive.size();
  return archive + directory + end_records(files.size(), offset, directory.size(), fields);
}

}  // namespace reel::testing
