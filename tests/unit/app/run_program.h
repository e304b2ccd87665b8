// Runs the command line inside the test.
#pragma once

#include <string>
#include <vector>

namespace reel::testing {

/// What a run left behind.
struct ProgramRun {
  int exit_code;
  std::string results;   ///< stdout
  std::string messages;  ///< stderr
};

/// The program with `words` after its name.
ProgramRun run_program(const std::vector<std::string>& words);

}  // namespace reel::testing
