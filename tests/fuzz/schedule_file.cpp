// --schedule and --head-tau files, and the attention flags as text.
#include <nlohmann/json.hpp>

#include "attention/schedule.h"
#include "tests/fuzz/input_file.h"

namespace {

void plan(const reel::attention::ScheduleOptions& options) {
  using namespace reel;
  fuzz::may_refuse([&] {
    Problems problems;
    const attention::ScheduleShape shape{
        .num_steps = 4, .num_layers = 3, .num_heads = 2, .sigmas = {1, .8, .5, .2}};
    const auto schedule = attention::AttentionSchedule::make(options, shape, problems);
    for (const auto& line : problems.lines()) fuzz::check_message(line);
    if (!schedule) return;
    schedule->to_json();
    schedule->hash();
    schedule->grid();
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reel;
  const std::string_view text = fuzz::text_of(data, size);
  const auto file = fuzz::input_file("input.json", text);
  plan({.schedule_file = file});
  plan({.head_tau_file = file});
  const auto parts = fuzz::split_input(text, 5);
  plan({.dense_steps = std::string(parts[0]),
        .dense_layers = std::string(parts[1]),
        .protect = std::string(parts[2]),
        .select = std::string(parts[3]),
        .rule = std::string(parts[4])});
  return 0;
}
