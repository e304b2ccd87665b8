// Where text for people goes: stderr, a log file, and lines of results on stdout.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace reel::app {

/// How much a user wants to read.
enum class Verbosity { kQuiet, kNormal, kVerbose };

/// Writes whole lines. Results go to stdout, all else to stderr and the log file.
class Console {
 public:
  Console(std::FILE* results, std::FILE* messages, Verbosity verbosity);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// Also appends every message, with its time, to `file`. Throws ConfigError if it cannot.
  void open_log(const std::filesystem::path& file);

  /// One line of results. Throws IoError if stdout does not take it.
  void result(const std::string& line);

  /// "sparsereel: ..." whatever the verbosity.
  void error(const std::string& text);

  /// Something the user should know; not with -q.
  void warn(const std::string& line);

  /// What happens; not with -q.
  void info(const std::string& line);

  /// Details, with -v only; the log file gets them always.
  void detail(const std::string& line);

  /// Replaces the bar on the terminal by `line`; other messages remove it first.
  void draw_bar(const std::string& line);
  void remove_bar();

  bool messages_to_terminal() const;
  Verbosity verbosity() const { return verbosity_; }

 private:
  void say(const std::string& line, bool visible);

  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  std::FILE* results_;
  std::FILE* messages_;
  Verbosity verbosity_;
  std::unique_ptr<std::FILE, Close> log_;
  bool bar_drawn_ = false;
};

}  // namespace reel::app
