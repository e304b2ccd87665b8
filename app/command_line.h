// The whole program behind main().
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace reel::app {

/// Runs the command line `words` (without the program's name) and returns the exit code. Results go
/// to `results`, everything else to `messages`. Never throws.
int run_command_line(const std::vector<std::string>& words, std::FILE* results,
                     std::FILE* messages);

}  // namespace reel::app
