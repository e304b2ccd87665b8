// Loading needs no room for the weights twice: children with little address space load large files.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "tests/support/temp_folder.h"
#include "tests/support/torch_writer.h"
#include "weights/load_weights.h"
#include "weights/safetensors.h"
#include "weights/torch_archive.h"

namespace reel::weights {
namespace {

constexpr int64_t kMegabyte = int64_t{1} << 20;
constexpr int kLoaded = 0;
constexpr int kNoMemory = 4;
constexpr int kOther = 1;

// The sanitizer's allocator has all of its addresses from the start.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kLimitsHold = false;
#else
constexpr bool kLimitsHold = true;
#endif

// Matrices of 32 MiB in fp32, the shapes of a model's layers.
WeightTable table_of(int64_t bytes) {
  WeightTable table;
  for (int64_t i = 0; i < bytes / (32 * kMegabyte); ++i) {
    table.add_linear("layers." + std::to_string(i), 4096, 2047);
  }
  return table;
}

std::string file_name(const WeightSpec& spec) {
  return "model." + spec.name;
}

// All zeros, which take no space on the disk.
void write_sparse_safetensors(const std::filesystem::path& path, const WeightTable& table) {
  nlohmann::json header;
  int64_t end = 0;
  for (const auto& spec : table.specs()) {
    const int64_t begin = end;
    end += spec.num_elements() * 4;
    header[file_name(spec)] = {
        {"dtype", "F32"}, {"shape", spec.shape}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const auto size = static_cast<uint64_t>(text.size());
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&size), sizeof(size));
  file << text;
  file.close();
  std::filesystem::resize_file(path, sizeof(size) + text.size() + static_cast<uint64_t>(end));
}

int64_t address_space() {
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * ::sysconf(_SC_PAGESIZE);
}

// Reads every element, as a model would.
int load_all(const TensorSource& source, const WeightTable& table, at::ScalarType dtype) {
  auto store = load_weights("model", source, recipes_for(table, {}, "model."), {"model.", {}, {}},
                            at::kCPU, dtype);
  double sum = 0;
  for (const auto& spec : table.specs()) {
    sum += store.take(spec.name).select(0, 0).sum().item<double>();
  }
  return sum == 0 ? kLoaded : kOther;
}

// What a child comes to that may take `room` bytes of addresses beside what it has at its birth,
// the file that it maps included.
int load_within(int64_t room, const std::function<TensorSource()>& open, const WeightTable& table,
                at::ScalarType dtype) {
  const pid_t child = ::fork();
  if (child == 0) {
    at::set_num_threads(1);  // the parent's threads are not here
    const auto limit = static_cast<rlim_t>(address_space() + room);
    const rlimit limits = {limit, limit};
    if (::setrlimit(RLIMIT_AS, &limits) != 0) ::_exit(kOther);
    try {
      ::_exit(load_all(open(), table, dtype));
    } catch (const OutOfMemory&) {
      ::_exit(kNoMemory);
    } catch (const std::bad_alloc&) {
      ::_exit(kNoMemory);
    } catch (const c10::Error&) {  // LibTorch's allocator
      ::_exit(kNoMemory);
    } catch (...) {
      ::_exit(kOther);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Of the file's `bytes`: as they are in the file the weights take no memory of their own; in half
// as many bytes, half; and never another copy of all.
void expect_little_room(int64_t bytes, const std::function<TensorSource()>& open,
                        const WeightTable& table) {
  const int64_t slack = 128 * kMegabyte;  // one tensor twice, and the heap's own steps
  EXPECT_EQ(load_within(bytes + slack, open, table, at::kFloat), kLoaded);
  EXPECT_EQ(load_within(bytes + bytes / 2 + slack, open, table, at::kBFloat16), kLoaded);
  EXPECT_EQ(load_within(bytes + slack, open, table, at::kBFloat16), kNoMemory)
      << "the limit does not limit";
  EXPECT_EQ(load_within(bytes / 2, open, table, at::kFloat), kNoMemory) << "no room for the file";
}

TEST(MemoryOfLoading, IsTheFileAloneForSafetensors) {
  if (!kLimitsHold) GTEST_SKIP() << "addresses cannot be limited here";
  const testing::TempFolder folder;
  const auto path = folder.path() / "model.safetensors";
  const int64_t bytes = 512 * kMegabyte;
  const auto table = table_of(bytes);
  write_sparse_safetensors(path, table);
  expect_little_room(bytes, [&] { return open_safetensors(path); }, table);
}

TEST(MemoryOfLoading, IsTheFileAloneForTorchArchives) {
  if (!kLimitsHold) GTEST_SKIP() << "addresses cannot be limited here";
  const testing::TempFolder folder;
  const auto path = folder.path() / "model.pt";
  const int64_t bytes = 512 * kMegabyte;
  const auto table = table_of(bytes);
  {
    std::map<std::string, at::Tensor> tensors;
    for (const auto& spec : table.specs()) tensors[file_name(spec)] = at::zeros(spec.shape);
    testing::save_torch_archive(path, tensors);
  }
  expect_little_room(bytes, [&] { return open_torch_archive(path); }, table);
}

}  // namespace
}  // namespace reel::weights
