#include "weights/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace reel::weights {
namespace {

[[noreturn]] void fail_with_errno(const std::filesystem::path& path, const char* what) {
  fail<WeightError>(path.string(), ": ", what, ": ", std::strerror(errno));
}

// Closes at the end of the scope; the mapping does not need the descriptor.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // A FIFO without a writer must not hang us before it can be refused.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.number < 0) fail_with_errno(path, "cannot be opened");
  struct stat status {};
  if (::fstat(file.number, &status) != 0) fail_with_errno(path, "cannot be examined");
  if (!S_ISREG(status.st_mode)) fail<WeightError>(path.string(), ": not a regular file");
  const auto size = static_cast<size_t>(status.st_size);
  std::span<const char> bytes;
  if (size > 0) {  // mmap refuses a length of 0
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number, 0);
    if (address == MAP_FAILED) fail_with_errno(path, "cannot be mapped into memory");
    bytes = {static_cast<const char*>(address), size};
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(path, bytes));
}

MappedFile::MappedFile(std::filesystem::path path, std::span<const char> bytes)
    : path_(std::move(path)), bytes_(bytes) {}

void MappedFile::prefetch(uint64_t offset, uint64_t bytes) const {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t begin = offset / page * page;
  const uint64_t end = std::min<uint64_t>(offset + bytes, size());
  if (begin >= end) return;
  // Only advice: without it the pages come when they are touched.
  ::madvise(const_cast<char*>(bytes_.data()) + begin, end - begin, MADV_WILLNEED);
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace reel::weights
