#include "app/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "core/error.h"

namespace reel::app {
namespace {

std::string time_stamp() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  localtime_r(&now, &parts);
  char text[32];
  const size_t length = std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S ", &parts);
  return {text, length};
}

// Columns of the terminal; a bar that is wider would wrap and not be drawn over.
size_t num_columns(std::FILE* file) {
  winsize size{};
  const bool known = ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? size.ws_col : 100;
}

}  // namespace

Console::Console(std::FILE* results, std::FILE* messages, Verbosity verbosity)
    : results_(results), messages_(messages), verbosity_(verbosity) {}

Console::~Console() {
  remove_bar();
}

void Console::open_log(const std::filesystem::path& file) {
  log_.reset(std::fopen(file.c_str(), "ae"));
  if (!log_) {
    fail<ConfigError>("--log-file: cannot be written: ", file.string(), ": ", std::strerror(errno));
  }
}

void Console::result(const std::string& line) {
  remove_bar();
  const std::string text = line + "\n";
  const bool written = std::fwrite(text.data(), 1, text.size(), results_) == text.size();
  if (!written || std::fflush(results_) != 0) {
    fail<IoError>("stdout: writing failed: ", std::strerror(errno));
  }
}

void Console::error(const std::string& text) {
  say("sparsereel: " + text, true);
}

void Console::warn(const std::string& line) {
  say("sparsereel: " + line, verbosity_ != Verbosity::kQuiet);
}

void Console::info(const std::string& line) {
  say(line, verbosity_ != Verbosity::kQuiet);
}

void Console::detail(const std::string& line) {
  say(line, verbosity_ == Verbosity::kVerbose);
}

void Console::say(const std::string& line, bool visible) {
  if (visible) {
    remove_bar();
    std::fprintf(messages_, "%s\n", line.c_str());
    std::fflush(messages_);
  }
  if (log_) {
    std::fprintf(log_.get(), "%s%s\n", time_stamp().c_str(), line.c_str());
    std::fflush(log_.get());
  }
}

void Console::draw_bar(const std::string& line) {
  // Carriage return, text, erase to the end of the line.
  const std::string text = line.substr(0, num_columns(messages_) - 1);
  std::fprintf(messages_, "\r%s\x1b[K", text.c_str());
  std::fflush(messages_);
  bar_drawn_ = true;
}

void Console::remove_bar() {
  if (!bar_drawn_) return;
  std::fprintf(messages_, "\r\x1b[K");
  std::fflush(messages_);
  bar_drawn_ = false;
}

bool Console::messages_to_terminal() const {
  return isatty(fileno(messages_)) == 1;
}

}  // namespace reel::app
