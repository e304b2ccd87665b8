#include "weights/read_ahead.h"

#include <ATen/ops/ones.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "tests/support/temp_folder.h"
#include "weights/safetensors.h"

namespace reel::weights {
namespace {

double share_in_memory(const MappedFile& file) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((file.size() + page - 1) / page);
  if (::mincore(const_cast<char*>(file.bytes().data()), file.size(), pages.data()) != 0) return -1;
  const auto there = std::count_if(pages.begin(), pages.end(), [](auto one) { return one & 1; });
  return static_cast<double>(there) / static_cast<double>(pages.size());
}

void evict(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ::fsync(file);
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  ::close(file);
}

TEST(ReadAhead, BringsWholeFilesIntoMemory) {
  const testing::TempFolder folder;
  const auto path = folder.path() / "model.safetensors";
  save_safetensors(path, {{"a", at::ones({10'000'000})}, {"b", at::ones({3})}});
  evict(path);
  const auto source = open_safetensors(path);
  const auto file = source.find("a")->file;
  if (share_in_memory(*file) > 0.5) GTEST_SKIP() << "this file system keeps its files in memory";
  ReadAhead ahead(source);
  ahead.wait();
  for (int i = 0; i < 600 && share_in_memory(*file) < 1; ++i) {  // the disk may be slow
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(share_in_memory(*file), 1);
}

}  // namespace
}  // namespace reel::weights
