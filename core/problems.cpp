#include "core/problems.h"

namespace reel {

std::string Problems::text(const std::string& where) const {
  if (lines_.size() == 1) return where + ": " + lines_.front();
  std::string text = where + ": " + std::to_string(lines_.size()) + " problems";
  for (const auto& line : lines_) text += "\n  " + line;
  return text;
}

}  // namespace reel
