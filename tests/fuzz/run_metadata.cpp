// The JSON beside or inside a video: what `replay` and `decode` take from it, how it differs from
// today's program, what `inspect` and `batch --estimate` show of it.
#include <cstdio>

#include "app/commands.h"
#include "app/recorded_run.h"
#include "batch/estimate.h"
#include "tests/fuzz/input_file.h"

namespace {

using namespace reel;

void plan_again(const app::RecordedRun& run) {
  Problems problems;
  const pipeline::ModelFacts facts{.embeds_guidance = true, .num_layers = 3, .num_heads = 4};
  const auto request = pipeline::make_request(run.options, {}, facts, problems);
  pipeline::plan_attention(request, facts, problems);
  for (const auto& line : problems.lines()) fuzz::check_message(line);
}

void compare_origin(const app::RecordedRun& run) {
  const pipeline::RunIdentity identity{.model_files = {{"a.safetensors", 8, "0123"}}};
  app::differences_of_origin(run.metadata, identity, {{"version", "0.1.0"}});
}

void inspect(const std::filesystem::path& file) {
  static std::FILE* const kNowhere = std::fopen("/dev/null", "w");
  app::Console console(kNowhere, kNowhere, app::Verbosity::kNormal);
  app::run_inspect(app::ParsedFlags(app::kInspect, {}, {file.string()}), console);
  app::run_inspect(app::ParsedFlags(app::kInspect, {{"--json", {}}}, {file.string()}), console);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = fuzz::input_file("input.json", fuzz::text_of(data, size));
  fuzz::may_refuse([&] {
    const app::RecordedRun run = app::read_recorded_run(file);
    plan_again(run);
    compare_origin(run);
  });
  fuzz::may_refuse([&] { inspect(file); });
  fuzz::may_refuse([&] { batch::pace_of_file(file); });
  return 0;
}
