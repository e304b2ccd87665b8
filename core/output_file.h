// Output that appears complete or not at all: written under no name, synced, then linked to its
// name. A run that fails or is killed leaves nothing where users look for results.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace reel {

/// What to do if the output is there already.
enum class IfExists { kRefuse, kReplace };

/// How a file lies on the disk until commit(): without a name where the file system can do that,
/// or with a hidden one. The second is the fallback of the first; tests ask for it.
enum class Unfinished { kUnnamed, kHidden };

/// One file in the making. Note [Names of unfinished output] in output_file.cpp says where its
/// bytes lie until commit(). Destroying it without commit() discards them.
class OutputFile {
 public:
  /// Starts a file that commit() will call `target`. Throws ConfigError, before any work is done,
  /// if `target` is there already (unless `if_exists` is kReplace), is no regular file, has a name
  /// that is too long, or lies in a folder that is missing or cannot be written.
  OutputFile(const std::filesystem::path& target, IfExists if_exists,
             Unfinished unfinished = Unfinished::kUnnamed);
  ~OutputFile();
  OutputFile(OutputFile&& other) noexcept;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  OutputFile& operator=(OutputFile&&) = delete;

  const std::filesystem::path& target() const { return target_; }
  int64_t size_bytes() const { return size_bytes_; }

  /// Appends `bytes`. Throws IoError if they cannot be written (a full disk, say).
  void append(std::string_view bytes);

  /// Writes at `offset`, over what is there or beyond the end. Throws IoError.
  void write_at(int64_t offset, std::string_view bytes);

  /// Reads up to `num_bytes` at `offset` into `data`; returns how many there were, 0 at the end.
  /// Throws IoError.
  size_t read_at(int64_t offset, void* data, size_t num_bytes) const;

  /// Syncs the bytes to the disk and gives them their name; nothing may be written afterwards.
  /// Throws IoError if that fails. If `target` came into being meanwhile and may not be replaced,
  /// it stays as it is, these bytes get a free name beside it, and the IoError tells that name.
  void commit();

 private:
  void name_unnamed();
  void rename_unfinished();
  [[noreturn]] void keep_beside();

  std::filesystem::path target_;
  std::filesystem::path folder_;
  std::filesystem::path unfinished_;  // empty while the file has no name
  IfExists if_exists_;
  int descriptor_ = -1;
  int64_t size_bytes_ = 0;
};

/// A whole file at once, with OutputFile's rules and errors.
void write_output(const std::filesystem::path& target, IfExists if_exists, std::string_view bytes);

}  // namespace reel
