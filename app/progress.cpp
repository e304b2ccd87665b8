#include "app/progress.h"

#include "app/progress_kinds.h"

namespace reel::app {

bool is_progress_mode(const std::string& mode) {
  for (const char* known : {"auto", "bar", "plain", "json", "none"}) {
    if (mode == known) return true;
  }
  return false;
}

std::unique_ptr<RunProgress> make_progress(const std::string& mode, Console& console,
                                           bool tells_outputs) {
  if (mode == "json") return std::make_unique<JsonProgress>(console);
  if (mode == "none") return std::make_unique<NoProgress>(console, tells_outputs);
  const bool bar = mode == "bar" || (mode == "auto" && console.messages_to_terminal());
  // Quiet runs still write their lines to a log file.
  if (bar && console.verbosity() != Verbosity::kQuiet)
    return std::make_unique<BarProgress>(console, tells_outputs);
  return std::make_unique<PlainProgress>(console, tells_outputs);
}

}  // namespace reel::app
