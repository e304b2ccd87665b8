// A job file in each of its three formats, and an event log.
#include "batch/job_list.h"

#include "batch/event_log.h"
#include "tests/fuzz/input_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reel;
  const std::string_view text = fuzz::text_of(data, size);
  for (const char* name : {"jobs.jsonl", "jobs.csv", "jobs.txt"}) {
    const auto file = fuzz::input_file(name, text);
    fuzz::may_refuse([&] {
      Problems problems;
      batch::read_job_list(file, problems);
      for (const auto& line : problems.lines()) fuzz::check_message(line);
    });
  }
  fuzz::may_refuse([&] { batch::read_events(fuzz::input_folder() / "jobs.jsonl"); });
  return 0;
}
