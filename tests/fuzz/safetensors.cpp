// A weight file in the safetensors format: header, every tensor, and the transformer's config that
// its shapes tell if it has the official names.
#include "weights/safetensors.h"

#include <ATen/ATen.h>

#include "dit/config.h"
#include "dit/weight_table.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reel;
  const auto file = fuzz::input_file("input.safetensors", fuzz::text_of(data, size));
  fuzz::may_refuse([&] {
    const auto source = weights::open_safetensors(file);
    std::vector<weights::WeightSpec> specs;
    for (const auto& info : source.infos()) specs.push_back({info.name, info.shape});
    fuzz::may_refuse(
        [&] { dit::weight_table(dit::infer_config(specs, "input.safetensors")).num_parameters(); });
    for (const auto& info : source.infos()) {
      fuzz::may_refuse([&] { source.tensor(info.name).clone(); });
    }
  });
  return 0;
}
