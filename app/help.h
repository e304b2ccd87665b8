// What --help and --version print.
#pragma once

#include <string>

#include "app/flag_table.h"

namespace reel::app {

/// The commands, and how to learn more.
std::string program_help();

/// Usage, flags by group and an example.
std::string command_help(const CommandInfo& command);

/// Version, commit, LibTorch, FFmpeg and CUDA, a line each.
std::string version_text();

}  // namespace reel::app
