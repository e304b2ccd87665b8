#include "batch/file_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "core/error.h"
#include "core/sha256.h"

// Note [Locks]
// These are "open file description" locks on ranges of bytes: they belong to the open file, so that
// one process may open it twice in tests, and end with the last descriptor, which the kernel closes
// for a killed process too. Byte 0 counts processes; a name's byte comes from its SHA-256.

namespace reel::batch {
namespace {

constexpr int64_t kPresence = 0;
constexpr int kMode = 0666;  // the umask takes its share

int64_t byte_of(std::string_view name) {
  return 1 + (std::stoll(sha256(name).substr(0, 15), nullptr, 16) >> 1);
}

// False if another holds it and `command` does not wait.
bool set_lock(int descriptor, int command, short type, int64_t first, int64_t length) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = first;
  range.l_len = length;
  while (fcntl(descriptor, command, &range) != 0) {
    if (errno == EINTR) continue;
    if (command == F_OFD_SETLK && (errno == EAGAIN || errno == EACCES)) return false;
    fail<IoError>("locking a file of the run folder failed: ", std::strerror(errno),
                  "; its file system must support locks");
  }
  return true;
}

}  // namespace

FileLock::FileLock(const std::filesystem::path& file)
    : descriptor_(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kMode)) {
  if (descriptor_ < 0) {
    fail<ConfigError>(file.string(), ": cannot be opened for writing: ", std::strerror(errno));
  }
}

FileLock::~FileLock() {
  close(descriptor_);
}

bool FileLock::try_take(std::string_view name) {
  return set_lock(descriptor_, F_OFD_SETLK, F_WRLCK, byte_of(name), 1);
}

void FileLock::release(std::string_view name) {
  set_lock(descriptor_, F_OFD_SETLK, F_UNLCK, byte_of(name), 1);
}

bool FileLock::enter() {
  if (set_lock(descriptor_, F_OFD_SETLK, F_WRLCK, kPresence, 1)) return true;
  set_lock(descriptor_, F_OFD_SETLKW, F_RDLCK, kPresence, 1);
  return false;
}

void FileLock::stay() {
  set_lock(descriptor_, F_OFD_SETLKW, F_RDLCK, kPresence, 1);
}

WholeFileLock::WholeFileLock(int descriptor) : descriptor_(descriptor) {
  set_lock(descriptor_, F_OFD_SETLKW, F_WRLCK, 0, 0);
}

WholeFileLock::~WholeFileLock() {
  struct flock range {};
  range.l_type = F_UNLCK;
  range.l_whence = SEEK_SET;
  fcntl(descriptor_, F_OFD_SETLK, &range);  // the end of the descriptor drops it anyway
}

}  // namespace reel::batch
