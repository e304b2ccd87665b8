#include "core/unfinished.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <sstream>
#include <string>

namespace reel {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolderName = ".tmp";

struct Place {
  bool is_folder = false;
  uid_t owner = 0;
  uint64_t mount = 0;
  uint64_t device = 0;
};

Place place_of(const fs::path& path) {
  struct statx facts {};
  if (statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_MNT_ID,
            &facts) != 0) {
    return {};
  }
  const uint64_t device = (uint64_t{facts.stx_dev_major} << 32) | facts.stx_dev_minor;
  return {S_ISDIR(facts.stx_mode), facts.stx_uid, facts.stx_mnt_id, device};
}

// Hidden, unique over processes and threads, and short whatever the target is called.
std::string fresh_name() {
  static std::atomic<int> counter{0};
  std::ostringstream name;
  name << ".sparsereel-" << getpid() << '-' << counter++ << '-' << std::hex
       << std::random_device{}() << ".part";
  return name.str();
}

}  // namespace

fs::path unfinished_path(const fs::path& folder) {
  std::error_code ignored;
  const fs::path absolute = fs::weakly_canonical(folder.empty() ? "." : folder, ignored);
  const fs::path parent = absolute.parent_path();
  const fs::path beside = parent / kFolderName;
  const fs::path& existing = fs::is_directory(absolute, ignored) ? absolute : parent;
  fs::create_directory(beside, ignored);
  const Place there = place_of(beside);
  const Place here = place_of(existing);
  const bool usable = absolute != parent && there.is_folder && there.owner == geteuid() &&
                      there.mount == here.mount && there.device == here.device &&
                      access(beside.c_str(), W_OK | X_OK) == 0;
  if (!usable) rmdir(beside.c_str());  // fails unless it is empty
  return (usable ? beside : existing) / fresh_name();
}

void leave_unfinished(const fs::path& path) {
  const fs::path folder = path.parent_path();
  if (folder.filename() == kFolderName) rmdir(folder.c_str());  // fails while others use it
}

}  // namespace reel
