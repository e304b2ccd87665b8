// The words of a command line, sorted into flags and arguments.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/flag_table.h"
#include "core/problems.h"

namespace reel::app {

/// What the user gave. Flags are asked for by their canonical names.
class ParsedFlags {
 public:
  /// `given` holds the values of the flags that came, by canonical name; of a switch none.
  ParsedFlags(Command command, std::map<std::string, std::vector<std::string>> given,
              std::vector<std::string> arguments);

  /// Whether the command has this flag at all; asking for the value of another is a bug.
  bool takes(const std::string& name) const;

  bool has(const std::string& name) const;
  std::optional<std::string> text(const std::string& name) const;

  // None if the flag was not given, or, with a problem, if its value is no number.
  std::optional<int64_t> integer(const std::string& name, Problems& problems) const;
  std::optional<double> number(const std::string& name, Problems& problems) const;

  /// All values of a flag that may come again.
  std::vector<std::string> list(const std::string& name) const;

  /// Whether the command has this row of the table.
  bool takes(const Flag& flag) const { return (flag.commands & command_) != 0; }

  /// What came, by canonical name.
  const std::map<std::string, std::vector<std::string>>& given() const { return given_; }

  /// Both values of a flag that takes two.
  std::optional<std::vector<std::string>> pair(const std::string& name) const;

  /// Canonical names of everything that was given.
  std::vector<std::string> names() const;

  /// Words that belong to no flag.
  const std::vector<std::string>& arguments() const { return arguments_; }

 private:
  const std::vector<std::string>* find(const std::string& name) const;

  Command command_;
  std::map<std::string, std::vector<std::string>> given_;
  std::vector<std::string> arguments_;
};

/// Sorts `words` (without program and command) by the table. Throws ConfigError "<command>: ..."
/// with all problems: unknown flags with the nearest known one, flags that came twice or belong to
/// a later version, missing values, more than `max_arguments` other words. With --help among the
/// words nothing is refused.
ParsedFlags parse_flags(const CommandInfo& command, const std::vector<std::string>& words,
                        size_t max_arguments);

/// A whole number or none.
std::optional<int64_t> parse_integer(const std::string& text);

}  // namespace reel::app
