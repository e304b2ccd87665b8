#include "tests/unit/app/run_program.h"

#include <cstdio>

#include "app/command_line.h"

namespace reel::testing {
namespace {

std::string content(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += static_cast<char>(c);
  std::fclose(file);
  return text;
}

}  // namespace

ProgramRun run_program(const std::vector<std::string>& words) {
  std::FILE* results = std::tmpfile();
  std::FILE* messages = std::tmpfile();
  const int exit_code = app::run_command_line(words, results, messages);
  return {exit_code, content(results), content(messages)};
}

}  // namespace reel::testing
