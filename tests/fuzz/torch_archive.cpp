// A .pt file: the zip directory, the pickle in it, then every tensor.
#include "weights/torch_archive.h"

#include <ATen/ATen.h>

#include "tests/fuzz/input_file.h"

namespace {

// A view may repeat its elements: a file of 2 KB may rightly hold a tensor of gigabytes.
constexpr uint64_t kMostBytes = 1 << 20;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reel;
  const auto file = fuzz::input_file("input.pt", fuzz::text_of(data, size));
  fuzz::may_refuse([&] {
    const auto source = weights::open_torch_archive(file);
    for (const auto& info : source.infos()) {
      if (info.bytes > kMostBytes) continue;
      fuzz::may_refuse([&] { source.tensor(info.name).clone(); });
    }
  });
  return 0;
}
