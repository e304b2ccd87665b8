// A folder of its own for each test that writes files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace reel::testing {

/// An empty folder, removed with all it holds at the end of its life.
class TempFolder {
 public:
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  /// Names of everything in it, hidden files and files of folders too, sorted.
  std::vector<std::string> names() const;

  /// Writes `bytes` to the file `name` below the folder, making folders on the way.
  std::filesystem::path write(const std::string& name, std::string_view bytes) const;

 private:
  std::filesystem::path path_;
};

/// All bytes of a file.
std::string read_bytes(const std::filesystem::path& file);

/// Makes a file of `bytes`, or replaces it.
void write_bytes(const std::filesystem::path& file, std::string_view bytes);

}  // namespace reel::testing
