#include "weights/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace reel::weights {
namespace {

[[noreturn]] void fail_with_errno(const std::filesystem::path& path, const char* what) {
  fail<WeightError>(path.string(), ": ", what, ": ", std::strerror(errno));
}

// Closes at the end of the scope unless it is taken.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  int take() { return std::exchange(number, -1); }
};

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // A FIFO without a writer must not hang us before it can be refused.
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.number < 0) fail_with_errno(path, "cannot be opened");
  struct stat status {};
  if (::fstat(file.number, &status) != 0) fail_with_errno(path, "cannot be examined");
  if (!S_ISREG(status.st_mode)) fail<WeightError>(path.string(), ": not a regular file");
  const auto size = static_cast<size_t>(status.st_size);
  std::span<const char> bytes;
  if (size > 0) {  // mmap refuses a length of 0
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number, 0);
    if (address == MAP_FAILED && errno == ENOMEM) {
      fail<OutOfMemory>("out of memory: ", path.string(), ": its ", size,
                        " bytes find no room among the addresses of this process");
    }
    if (address == MAP_FAILED) fail_with_errno(path, "cannot be mapped into memory");
    bytes = {static_cast<const char*>(address), size};
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(path, file.take(), bytes));
}

MappedFile::MappedFile(std::filesystem::path path, int descriptor, std::span<const char> bytes)
    : path_(std::move(path)), descriptor_(descriptor), bytes_(bytes) {}

void MappedFile::read(uint64_t offset, std::span<char> into) const {
  while (!into.empty()) {
    const ssize_t count =
        ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_with_errno(path_, "cannot be read");
    if (count == 0) fail<WeightError>(path_.string(), ": has become shorter while it was read");
    into = into.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
}

void MappedFile::prefetch(uint64_t offset, uint64_t bytes) const {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  // One request is cut to what the disk reads ahead, 128 KiB at least: the rest would be forgotten.
  constexpr uint64_t kRequest = 128U << 10;
  const uint64_t end = std::min<uint64_t>(offset + bytes, size());
  for (uint64_t begin = offset / page * page; begin < end; begin += kRequest) {
    // Only advice: without it the pages come when they are touched.
    ::madvise(const_cast<char*>(bytes_.data()) + begin, std::min(kRequest, end - begin),
              MADV_WILLNEED);
  }
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  ::close(descriptor_);
}

}  // namespace reel::weights
