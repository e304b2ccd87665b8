// The commands: each takes its flags, returns an exit code or throws what becomes one.
#pragma once

#include "app/console.h"
#include "app/parsed_flags.h"

namespace reel::app {

int run_generate(const ParsedFlags& flags, Console& console);
int run_batch(const ParsedFlags& flags, Console& console);
int run_probe_command(const ParsedFlags& flags, Console& console);
int run_inspect(const ParsedFlags& flags, Console& console);
int run_calibrate(const ParsedFlags& flags, Console& console);
int run_compare(const ParsedFlags& flags, Console& console);
int run_completions(const ParsedFlags& flags, Console& console);
int run_doctor(const ParsedFlags& flags, Console& console);
int run_decode(const ParsedFlags& flags, Console& console);
int run_metrics(const ParsedFlags& flags, Console& console);
int run_replay(const ParsedFlags& flags, Console& console);
int run_sweep(const ParsedFlags& flags, Console& console);
int run_vbench_prepare(const ParsedFlags& flags, Console& console);
int run_vbench_run(const ParsedFlags& flags, Console& console);
int run_vbench_check(const ParsedFlags& flags, Console& console);
int run_vbench_evaluate(const ParsedFlags& flags, Console& console);
int run_vbench_score(const ParsedFlags& flags, Console& console);

}  // namespace reel::app
