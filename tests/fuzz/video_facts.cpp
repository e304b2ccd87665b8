// A video as `inspect`, `replay` and `vbench check` see it. FFmpeg's demuxers and decoders run
// without instrumentation; the code around them is what is looked at.
#include "media/video_facts.h"

#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reel;
  const auto file = fuzz::input_file("input.mp4", fuzz::text_of(data, size));
  fuzz::may_refuse([&] { media::mp4_boxes(file); });
  fuzz::may_refuse([&] { media::read_video_facts(file); });
  return 0;
}
