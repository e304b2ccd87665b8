// The pickle of a .pt file alone, which mutations inside an archive reach too rarely.
#include "weights/pickle.h"

#include <array>

#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reel;
  static constexpr std::array<std::string_view, 3> kGlobals = {
      "collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch FloatStorage"};
  fuzz::may_refuse([&] {
    const weights::Pickle pickle(fuzz::text_of(data, size), "input.pkl", kGlobals);
    pickle.root().find("state_dict");
  });
  return 0;
}
