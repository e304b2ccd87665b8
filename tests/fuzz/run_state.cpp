// Latents and states of unfinished runs.
#include "pipeline/run_state.h"

#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reel;
  const auto file = fuzz::input_file("input.safetensors", fuzz::text_of(data, size));
  fuzz::may_refuse([&] { pipeline::read_run_state(file); });
  return 0;
}
