#include "weights/read_ahead.h"

#include <memory>
#include <stop_token>
#include <unordered_set>
#include <vector>

namespace reel::weights {
namespace {

constexpr uint64_t kPiece = 16U << 20;  // asked for at once; the end of the thread waits for one

using Files = std::vector<std::shared_ptr<const MappedFile>>;

Files files_of(const TensorSource& source) {
  Files files;
  std::unordered_set<const MappedFile*> seen;
  for (const auto& info : source.infos()) {
    if (seen.insert(info.file.get()).second) files.push_back(info.file);
  }
  return files;
}

void read(const std::stop_token& stop, const Files& files) {
  for (const auto& file : files) {
    for (uint64_t offset = 0; offset < file->size(); offset += kPiece) {
      if (stop.stop_requested()) return;
      file->prefetch(offset, kPiece);
    }
  }
}

}  // namespace

ReadAhead::ReadAhead(const TensorSource& source)
    : thread_([files = files_of(source)](const std::stop_token& stop) { read(stop, files); }) {}

void ReadAhead::wait() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace reel::weights
