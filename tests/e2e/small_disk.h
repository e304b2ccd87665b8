// A file system of its own, as small as a test wants it.
#pragma once

#include <sys/mount.h>

#include <filesystem>
#include <string>

namespace reel::testing {

/// A tmpfs on a folder during its life, where the system permits that.
class SmallDisk {
 public:
  /// `size` as mount takes it: "32k".
  SmallDisk(const std::filesystem::path& folder, const std::string& size) : folder_(folder) {
    std::filesystem::create_directory(folder);
    mounted_ = ::mount("tmpfs", folder.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }

 private:
  std::filesystem::path folder_;
  bool mounted_;
};

}  // namespace reel::testing
