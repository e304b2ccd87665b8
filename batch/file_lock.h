// Locks that processes on one or several machines take on parts of one file. The system drops them
// when the process that holds them ends, however it ends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace reel::batch {

/// A file whose bytes stand for things that only one process may work on; nothing is written to it.
/// Works on local file systems and on NFS, which passes the locks on to its server.
class FileLock {
 public:
  /// Opens `file`, made if it is not there. Throws ConfigError if that fails.
  explicit FileLock(const std::filesystem::path& file);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  /// Takes the byte of `name` for this process; false if another has it. Two names may share a
  /// byte: one of 2^59. Throws IoError where the file system has no locks.
  bool try_take(std::string_view name);

  /// Gives it back.
  void release(std::string_view name);

  /// Counts this process in. True if no other is counted in at that moment: others wait in this
  /// call until enter() was followed by stay().
  bool enter();

  /// Lets others in, and stays counted in until the end.
  void stay();

 private:
  int descriptor_ = -1;
};

/// Holds a whole file for itself during its life; waits for others.
class WholeFileLock {
 public:
  /// `descriptor` is an open file and must outlive this. Throws IoError.
  explicit WholeFileLock(int descriptor);
  ~WholeFileLock();
  WholeFileLock(const WholeFileLock&) = delete;
  WholeFileLock& operator=(const WholeFileLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace reel::batch
