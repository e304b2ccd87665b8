// A file in memory without reading it: pages come in when they are touched. Large parts of it are
// better read: a thread copies twice as fast from the page cache as it takes pages in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace reel::weights {

/// A whole file, mapped for reading only: writing to its bytes ends the process.
class MappedFile {
 public:
  /// Throws WeightError if `path` is not a regular file that can be read.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::filesystem::path& path() const { return path_; }
  std::span<const char> bytes() const { return bytes_; }
  uint64_t size() const { return bytes_.size(); }

  /// Copies `into.size()` bytes from `offset` on. Several threads may read at once. Throws
  /// WeightError if the file has become shorter or cannot be read.
  void read(uint64_t offset, std::span<char> into) const;

  /// Asks the system to read these bytes soon, and returns at once.
  void prefetch(uint64_t offset, uint64_t bytes) const;

 private:
  MappedFile(std::filesystem::path path, int descriptor, std::span<const char> bytes);

  std::filesystem::path path_;
  int descriptor_;
  std::span<const char> bytes_;
};

}  // namespace reel::weights
