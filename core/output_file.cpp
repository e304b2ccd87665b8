#include "core/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/unfinished.h"

// Note [Names of unfinished output]
// The bytes go to a file without a name (O_TMPFILE) in the target's folder, so that even a killed
// process leaves nothing. commit() links it to the target, which fails if the name is taken, so of
// two processes one wins. Replacing a file takes a rename, hence a name: one in ".tmp" beside the
// folder (unfinished.h), which exists only between that link and the rename. File systems without
// O_TMPFILE get that name from the beginning.

namespace reel {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kMode = 0666;  // the umask takes its share
constexpr int kNumTries = 16;

std::string reason() {
  return std::strerror(errno);
}

// Checks what can be wrong with a target before any work is done.
void check_target(const fs::path& target, const fs::path& folder, IfExists if_exists) {
  const std::string where = target.string();
  if (target.filename().empty() || target.filename() == "." || target.filename() == "..") {
    fail<ConfigError>(where.empty() ? "output" : where, ": not a file name");
  }
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    fail<ConfigError>(where, ": its folder does not exist: make ", folder.string(), " first");
  }
  const long limit = pathconf(folder.c_str(), _PC_NAME_MAX);
  const auto length = static_cast<long>(target.filename().native().size());
  if (limit > 0 && length > limit) {
    fail<ConfigError>(where, ": file name too long: got ", length, " bytes, want at most ", limit);
  }
  struct stat facts {};
  if (lstat(target.c_str(), &facts) != 0) return;
  if (!S_ISREG(facts.st_mode) && !S_ISLNK(facts.st_mode)) {
    fail<ConfigError>(where, ": is there already and is not a regular file");
  }
  if (if_exists == IfExists::kRefuse) {
    fail<ConfigError>(where, ": is there already: choose another name, or --overwrite");
  }
}

// Opens a file without a name, or returns -1 where the file system or the missing /proc forbids.
int open_unnamed(const fs::path& folder, const fs::path& target) {
  const int descriptor = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kMode);
  if (descriptor < 0) {
    if (errno == EACCES || errno == EPERM || errno == EROFS) {
      fail<ConfigError>(target.string(), ": cannot be written: ", reason());
    }
    return -1;
  }
  if (access(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), F_OK) == 0) return descriptor;
  close(descriptor);
  return -1;
}

int open_named(const fs::path& folder, const fs::path& target, fs::path& unfinished) {
  for (int i = 0; i < kNumTries; ++i) {  // another process may remove .tmp between the two calls
    unfinished = unfinished_path(folder);
    const int descriptor = open(unfinished.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, kMode);
    if (descriptor >= 0) return descriptor;
    if (errno != ENOENT && errno != EEXIST) break;
  }
  fail<ConfigError>(target.string(), ": cannot be written: ", reason());
}

bool link_unnamed(int descriptor, const fs::path& name) {
  const std::string source = "/proc/self/fd/" + std::to_string(descriptor);
  return linkat(AT_FDCWD, source.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
}

// A rename that never replaces: some file systems know only one of these two ways.
bool rename_if_free(const fs::path& from, const fs::path& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno != EINVAL && errno != ENOSYS) return false;
  if (link(from.c_str(), to.c_str()) != 0) return false;
  unlink(from.c_str());
  return true;
}

void sync_folder(const fs::path& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // a folder may be writable but not readable
  fsync(descriptor);           // file systems that cannot sync a folder say EINVAL
  close(descriptor);
}

}  // namespace

OutputFile::OutputFile(const fs::path& target, IfExists if_exists, Unfinished unfinished)
    : target_(target),
      folder_(target.has_parent_path() ? target.parent_path() : fs::path(".")),
      if_exists_(if_exists) {
  check_target(target_, folder_, if_exists_);
  if (unfinished == Unfinished::kUnnamed) descriptor_ = open_unnamed(folder_, target_);
  if (descriptor_ < 0) descriptor_ = open_named(folder_, target_, unfinished_);
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : target_(std::move(other.target_)),
      folder_(std::move(other.folder_)),
      unfinished_(std::exchange(other.unfinished_, {})),
      if_exists_(other.if_exists_),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_bytes_(other.size_bytes_) {}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!unfinished_.empty()) {
    unlink(unfinished_.c_str());
    leave_unfinished(unfinished_);
  }
}

void OutputFile::append(std::string_view bytes) {
  write_at(size_bytes_, bytes);
}

void OutputFile::write_at(int64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (written < 0) {
      if (errno == EINTR) continue;
      fail<IoError>(target_.string(), ": writing failed: ", reason());
    }
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += written;
  }
  size_bytes_ = std::max(size_bytes_, offset);
}

size_t OutputFile::read_at(int64_t offset, void* data, size_t num_bytes) const {
  for (;;) {
    const ssize_t got = pread(descriptor_, data, num_bytes, offset);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) fail<IoError>(target_.string(), ": reading back failed: ", reason());
  }
}

void OutputFile::commit() {
  if (fsync(descriptor_) != 0) fail<IoError>(target_.string(), ": syncing failed: ", reason());
  if (unfinished_.empty()) {
    name_unnamed();
  } else {
    rename_unfinished();
  }
  close(std::exchange(descriptor_, -1));
  sync_folder(folder_);
}

void OutputFile::name_unnamed() {
  if (link_unnamed(descriptor_, target_)) return;
  if (errno != EEXIST) fail<IoError>(target_.string(), ": naming it failed: ", reason());
  if (if_exists_ == IfExists::kRefuse) keep_beside();
  for (int i = 0; i < kNumTries; ++i) {
    const fs::path name = unfinished_path(folder_);
    if (link_unnamed(descriptor_, name)) {
      unfinished_ = name;
      return rename_unfinished();
    }
    leave_unfinished(name);
  }
  fail<IoError>(target_.string(), ": replacing it failed: ", reason());
}

void OutputFile::rename_unfinished() {
  if (if_exists_ == IfExists::kReplace) {
    if (rename(unfinished_.c_str(), target_.c_str()) != 0) {
      fail<IoError>(target_.string(), ": replacing it failed: ", reason());
    }
  } else if (!rename_if_free(unfinished_, target_)) {
    if (errno == EEXIST) keep_beside();
    fail<IoError>(target_.string(), ": naming it failed: ", reason());
  }
  leave_unfinished(std::exchange(unfinished_, {}));
}

void OutputFile::keep_beside() {
  for (int number = 2; number < 1000; ++number) {
    fs::path name = target_;
    name.replace_filename(target_.stem().string() + "." + std::to_string(number) +
                          target_.extension().string());
    const bool named =
        unfinished_.empty() ? link_unnamed(descriptor_, name) : rename_if_free(unfinished_, name);
    if (named) {
      if (!unfinished_.empty()) leave_unfinished(std::exchange(unfinished_, {}));
      sync_folder(folder_);
      fail<IoError>(target_.string(), ": another process made this file meanwhile; this result is ",
                    name.string());
    }
    if (errno != EEXIST) break;
  }
  fail<IoError>(target_.string(), ": another process made this file meanwhile, and this result ",
                "could not be kept beside it: ", reason());
}

void write_output(const fs::path& target, IfExists if_exists, std::string_view bytes) {
  OutputFile file(target, if_exists);
  file.append(bytes);
  file.commit();
}

}  // namespace reel
