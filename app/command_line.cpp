#include "app/command_line.h"

#include "app/commands.h"
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

int run_command(const CommandInfo& command, const ParsedFlags& flags, std::FILE* results,
                std::FILE* messages) {
  Problems problems;
  const Verbosity level = verbosity(flags, problems);
  problems.throw_if_any<ConfigError>(std::string(command.name));
  Console console(results, messages, level);
  const bool has_log = command.command != kInspect && flags.has("--log-file");
  if (has_log) console.open_log(*flags.text("--log-file"));
  try {
    switch (static_cast<Command>(command.command)) {
      case kGenerate:
        return run_generate(flags, console);
      case kProbe:
        return run_probe_command(flags, console);
      case kBatch:
        return run_batch(flags, console);
      case kInspect:
        return run_inspect(flags, console);
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
  const CommandInfo& command = find_command(name);
  const ParsedFlags flags =
      parse_flags(command, {words.begin() + 1, words.end()}, command.command == kGenerate ? 0 : 1);
  if (flags.has("--help")) {
    console.result(command_help(command));
    return 0;
  }
  return run_command(command, flags, results, messages);
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
