// A folder of results that appears complete or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/output_file.h"

namespace reel {

/// A folder in the making. Destroying it without commit() discards it.
class OutputFolder {
 public:
  /// Starts a folder that commit() will call `target`. Throws ConfigError if `target` is there and
  /// is not an empty folder (with kReplace: is not a folder), or if it cannot be made there.
  OutputFolder(const std::filesystem::path& target, IfExists if_exists);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  const std::filesystem::path& target() const { return target_; }

  /// Writes one file of the folder. Throws IoError.
  void write(const std::string& name, std::string_view bytes);

  /// Gives the folder its name. Into a folder that has files already its own files move one by
  /// one, each replacing the file of its name; the others stay. Throws IoError.
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path staging_;  // empty once committed
  IfExists if_exists_;
};

}  // namespace reel
