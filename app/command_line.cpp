#include "app/command_line.h"

#include <fmt/format.h>

#include "app/commands.h"
#include "app/config_file.h"
#include "app/exit_code.h"
#include "app/help.h"
#include "app/request_flags.h"
#include "core/nearest_name.h"
#include "core/printable.h"

namespace reel::app {
namespace {

// Also "--help" and the like, which are no commands but stand in their place.
const CommandInfo& find_command(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& command : command_table()) {
    if (command.name == name && command.command != 0) return command;
    if (command.name == name) fail<ConfigError>(name, ": not in this version");
    if (command.command != 0) known.emplace_back(command.name);
  }
  const auto nearest = nearest_name(name, known);
  fail<ConfigError>(printable(name), ": unknown command",
                    nearest ? "; did you mean " + *nearest + "?" : "; see sparsereel --help");
}

// How many words beside flags a command takes.
size_t max_arguments(const CommandInfo& command) {
  constexpr size_t kMostSystems = 32;
  switch (static_cast<Command>(command.command)) {
    case kGenerate:
    case kCompare:
    case kCalibrate:
    case kDoctor:
    case kVbenchPrepare:
      return 0;
    case kMetrics:
      return 2;
    case kVbenchScore:
      return kMostSystems;
    default:
      return 1;
  }
}

// Commands of two words, such as "vbench run", are one name in the table.
bool is_first_word(const std::string& word) {
  for (const auto& command : command_table()) {
    if (command.name.starts_with(word + " ")) return true;
  }
  return false;
}

int run_command(const CommandInfo& command, const ParsedFlags& flags, std::FILE* results,
                std::FILE* messages) {
  Problems problems;
  const Verbosity level = verbosity(flags, problems);
  problems.throw_if_any<ConfigError>(std::string(command.name));
  Console console(results, messages, level);
  const bool has_log = flags.takes("--log-file") && flags.has("--log-file");
  if (has_log) console.open_log(*flags.text("--log-file"));
  try {
    switch (static_cast<Command>(command.command)) {
      case kGenerate:
        return run_generate(flags, console);
      case kProbe:
        return run_probe_command(flags, console);
      case kBatch:
        return run_batch(flags, console);
      case kCompletions:
        return run_completions(flags, console);
      case kInspect:
        return run_inspect(flags, console);
      case kCalibrate:
        return run_calibrate(flags, console);
      case kCompare:
        return run_compare(flags, console);
      case kDoctor:
        return run_doctor(flags, console);
      case kDecode:
        return run_decode(flags, console);
      case kMetrics:
        return run_metrics(flags, console);
      case kReplay:
        return run_replay(flags, console);
      case kSweep:
        return run_sweep(flags, console);
      case kVbenchPrepare:
        return run_vbench_prepare(flags, console);
      case kVbenchRun:
        return run_vbench_run(flags, console);
      case kVbenchCheck:
        return run_vbench_check(flags, console);
      case kVbenchEvaluate:
        return run_vbench_evaluate(flags, console);
      case kVbenchScore:
        return run_vbench_score(flags, console);
    }
    return 0;
  } catch (...) {
    const Failure failure = describe_failure(std::current_exception());
    console.error(failure.message);
    return failure.exit_code;
  }
}

int dispatch(const std::vector<std::string>& words, std::FILE* results, std::FILE* messages) {
  Console console(results, messages, Verbosity::kNormal);
  if (words.empty()) {
    std::fputs(program_help().c_str(), messages);
    return 2;
  }
  const std::string& name = words.front();
  if (name == "-h" || name == "--help" || name == "help") {
    console.result(program_help());
    return 0;
  }
  if (name == "--version" || name == "-V") {
    const std::string text = version_text();
    console.result(text.substr(0, text.size() - 1));
    return 0;
  }
  const bool two_words = is_first_word(name);
  if (two_words && (words.size() == 1 || words[1].starts_with('-'))) {
    console.result(program_help());
    return words.size() == 1 ? 2 : 0;
  }
  const CommandInfo& command =
      find_command(two_words ? fmt::format("{} {}", name, words[1]) : name);
  const ParsedFlags flags = parse_flags(command, {words.begin() + (two_words ? 2 : 1), words.end()},
                                        max_arguments(command));
  if (flags.has("--help")) {
    console.result(command_help(command));
    return 0;
  }
  return run_command(command, with_config(command, flags), results, messages);
}

}  // namespace

int run_command_line(const std::vector<std::string>& words, std::FILE* results,
                     std::FILE* messages) {
  try {
    return dispatch(words, results, messages);
  } catch (...) {
    const Failure failure = describe_failure(std::current_exception());
    std::fprintf(messages, "sparsereel: %s\n", failure.message.c_str());
    return failure.exit_code;
  }
}

}  // namespace reel::app
