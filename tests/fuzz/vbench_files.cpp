// VBench's list of prompts, a list of long prompts, and its results.
#include "tests/fuzz/input_file.h"
#include "vbench/prompt_set.h"
#include "vbench/score.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reel;
  const auto parts = fuzz::split_input(fuzz::text_of(data, size), 2);
  const auto list = fuzz::input_file("info_eval_results.json", parts[0]);
  const auto long_prompts = fuzz::input_file("long.txt", parts[1]);
  fuzz::may_refuse([&] {
    Problems problems;
    auto entries = vbench::read_info(list, problems);
    vbench::read_long_prompts(long_prompts, entries, problems);
    for (const auto& prompt : vbench::select_prompts(entries, {}, problems)) {
      vbench::job_line(prompt, 42).dump();
    }
    for (const auto& line : problems.lines()) fuzz::check_message(line);
  });
  fuzz::may_refuse([&] { vbench::read_scores(list); });
  return 0;
}
