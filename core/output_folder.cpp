#include "core/output_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/unfinished.h"

namespace reel {
namespace {

namespace fs = std::filesystem;

// "frames/" and "frames" are the same folder, and only the second has a file name.
fs::path without_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

// Whether `folder` holds anything but `ours`, which may lie in it.
bool has_others(const fs::path& folder, const fs::path& ours) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    if (entry.path().filename() != ours.filename()) return true;
  }
  return static_cast<bool>(failed);
}

void check_target(const fs::path& target, IfExists if_exists) {
  const fs::path parent = target.has_parent_path() ? target.parent_path() : fs::path(".");
  if (target.empty()) fail<ConfigError>("output folder: the name is empty");
  std::error_code ignored;
  if (!fs::is_directory(parent, ignored)) {
    fail<ConfigError>(target.string(), ": its folder does not exist: make ", parent.string(),
                      " first");
  }
  if (!fs::exists(fs::symlink_status(target, ignored))) return;
  if (!fs::is_directory(target, ignored)) {
    fail<ConfigError>(target.string(), ": is there already and is not a folder");
  }
  if (access(target.c_str(), R_OK | W_OK | X_OK) != 0) {
    fail<ConfigError>(target.string(), ": cannot be written: ", std::strerror(errno));
  }
  if (if_exists == IfExists::kRefuse && has_others(target, {})) {
    fail<ConfigError>(target.string(),
                      ": is there already and not empty: choose another folder, or --overwrite");
  }
}

void move_files(const fs::path& from, const fs::path& to) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(from, failed)) {
    const fs::path target = to / entry.path().filename();
    fs::rename(entry.path(), target, failed);
    if (failed) fail<IoError>(target.string(), ": naming it failed: ", failed.message());
  }
  if (failed) fail<IoError>(to.string(), ": filling it failed: ", failed.message());
}

}  // namespace

OutputFolder::OutputFolder(const fs::path& target, IfExists if_exists)
    : target_(without_slash(target)), if_exists_(if_exists) {
  check_target(target_, if_exists_);
  for (int i = 0; i < 16; ++i) {  // another process may remove .tmp between the two calls
    staging_ = unfinished_path(target_);
    if (mkdir(staging_.c_str(), 0777) == 0) return;
    if (errno != ENOENT && errno != EEXIST) break;
  }
  fail<ConfigError>(target_.string(), ": cannot be written: ", std::strerror(errno));
}

OutputFolder::~OutputFolder() {
  if (staging_.empty()) return;
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
  leave_unfinished(staging_);
}

void OutputFolder::write(const std::string& name, std::string_view bytes) {
  try {
    write_output(staging_ / name, IfExists::kRefuse, bytes);
  } catch (const ConfigError& error) {  // the user has no part in what happens to the staging place
    throw IoError(error.what());
  }
}

void OutputFolder::commit() {
  // An absent or empty folder is replaced in one step.
  if (rename(staging_.c_str(), target_.c_str()) != 0) {
    if (errno != ENOTEMPTY && errno != EEXIST && errno != EBUSY && errno != EINVAL) {
      fail<IoError>(target_.string(), ": naming it failed: ", std::strerror(errno));
    }
    if (if_exists_ == IfExists::kRefuse && has_others(target_, staging_)) {
      fail<IoError>(target_.string(), ": another process filled this folder meanwhile");
    }
    move_files(staging_, target_);
    std::error_code ignored;
    fs::remove_all(staging_, ignored);
  }
  leave_unfinished(std::exchange(staging_, {}));
}

}  // namespace reel
