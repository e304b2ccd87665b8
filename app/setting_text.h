// Pieces of settings that users write as text: --with, --grid, --levels.
#pragma once

#include <string>
#include <vector>

namespace reel::app {

/// Without spaces at either end.
std::string trimmed(const std::string& text);

/// The parts between separators, trimmed; empty ones stay, but for one after the last separator.
std::vector<std::string> split(const std::string& text, char separator);

/// The same without empty parts.
std::vector<std::string> split_filled(const std::string& text, char separator);

/// "tau=0.9, block=64" -> "tau0.9_block64": fit for names of files. Letters, digits, dots and
/// dashes stay.
std::string as_file_name(std::string setting);

}  // namespace reel::app
