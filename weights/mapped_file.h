// A file in memory without reading it: pages come in when they are touched.
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

  /// Asks the system to read these bytes soon, and returns at once.
  void prefetch(uint64_t offset, uint64_t bytes) const;

 private:
  MappedFile(std::filesystem::path path, std::span<const char> bytes);

  std::filesystem::path path_;
  std::span<const char> bytes_;
};

}  // namespace reel::weights
