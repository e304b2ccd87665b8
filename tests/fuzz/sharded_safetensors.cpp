// An index over two good shards.
#include "weights/sharded_safetensors.h"

#include "tests/fuzz/input_file.h"

namespace {

void copy_shards() {
  for (const std::string name : {"a-00001-of-00002.safetensors", "a-00002-of-00002.safetensors"}) {
    std::filesystem::copy_file("tests/data/weights/" + name, reel::fuzz::input_folder() / name);
  }
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  copy_shards();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reel;
  const auto file = fuzz::input_file("a.safetensors.index.json", fuzz::text_of(data, size));
  fuzz::may_refuse([&] { weights::open_sharded_safetensors(file); });
  return 0;
}
