// A folder of its own for each test that writes files.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace reel::testing {

/// An empty folder, removed with all it holds at the end of its life.
class TempFolder {
 public:
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();

  const std::filesystem::path& path() const { return path_; }

  /// Writes `bytes` to the file `name` below the folder, making folders on the way.
  std::filesystem::path write(const std::string& name, std::string_view bytes) const;

 private:
  std::filesystem::path path_;
};

/// All bytes of a file.
std::string read_bytes(const std::filesystem::path& file);

}  // namespace reel::testing
