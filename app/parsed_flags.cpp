// The one source that includes CLI11, which takes seconds to compile.
#include "app/parsed_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "core/nearest_name.h"
#include "core/printable.h"

namespace reel::app {
namespace {

// Any number of words that look like flags to CLI11 may follow each other: they are told apart
// here.
bool looks_like_flag(const std::string& word) {
  return word.size() > 1 && word.front() == '-';
}

void refuse_unknown_flag(const std::string& word, const std::vector<Flag>& flags,
                         Problems& problems) {
  const std::string name = word.substr(0, word.find('='));
  std::vector<std::string> known;
  for (const auto& flag : flags) {
    if (flag.later) continue;
    for (const auto& spelling : flag.all_names()) known.push_back(spelling);
  }
  const auto nearest = nearest_name(name, known);
  problems.add(printable(name), ": unknown flag",
               nearest ? "; did you mean " + *nearest + "?" : "; see --help");
}

void sort_rest(const std::vector<std::string>& rest, const std::vector<Flag>& flags,
               size_t max_arguments, std::vector<std::string>& arguments, Problems& problems) {
  bool unknown = false;
  for (const auto& word : rest) {
    if (looks_like_flag(word)) {
      refuse_unknown_flag(word, flags, problems);
      unknown = true;
    } else {
      arguments.push_back(word);
    }
  }
  // The value of an unknown flag looks like an argument: one problem is enough.
  if (unknown) return;
  for (size_t i = max_arguments; i < arguments.size(); ++i) {
    problems.add("unexpected argument: got ", printable(arguments[i]), ", want a flag before it");
  }
}

CLI::Option* declare(CLI::App& parser, const Flag& flag) {
  const std::string spellings(flag.spellings);
  if (flag.values == Values::kNone) {
    return parser.add_flag(spellings)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  CLI::Option* option = parser.add_option(spellings);
  if (flag.values == Values::kTwo) {
    option->expected(2);
  } else if (flag.values == Values::kOptional) {
    option->expected(0, 1);
  } else {
    option->expected(1);
  }
  return option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

size_t values_of(const Flag& flag) {
  return flag.values == Values::kTwo ? 2 : 1;
}

bool is_help(const std::string& word) {
  return word == "-h" || word == "--help";
}

}  // namespace

ParsedFlags::ParsedFlags(Command command, std::map<std::string, std::vector<std::string>> given,
                         std::vector<std::string> arguments)
    : command_(command), given_(std::move(given)), arguments_(std::move(arguments)) {}

bool ParsedFlags::takes(const std::string& name) const {
  const auto& table = flag_table();
  return std::any_of(table.begin(), table.end(), [&](const Flag& flag) {
    return flag.name() == name && (flag.commands & command_) != 0;
  });
}

const std::vector<std::string>* ParsedFlags::find(const std::string& name) const {
  if (!takes(name)) fail<ShapeError>("ParsedFlags: not in the table: got ", name);
  const auto found = given_.find(name);
  return found == given_.end() ? nullptr : &found->second;
}

bool ParsedFlags::has(const std::string& name) const {
  return find(name) != nullptr;
}

std::optional<std::string> ParsedFlags::text(const std::string& name) const {
  const auto* values = find(name);
  if (values == nullptr || values->empty()) return std::nullopt;
  return values->front();
}

std::optional<std::vector<std::string>> ParsedFlags::pair(const std::string& name) const {
  const auto* values = find(name);
  if (values == nullptr) return std::nullopt;
  return *values;
}

std::vector<std::string> ParsedFlags::list(const std::string& name) const {
  const auto* values = find(name);
  return values == nullptr ? std::vector<std::string>{} : *values;
}

std::optional<int64_t> parse_integer(const std::string& text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

std::optional<int64_t> ParsedFlags::integer(const std::string& name, Problems& problems) const {
  const auto value = text(name);
  if (!value) return std::nullopt;
  const auto number = parse_integer(*value);
  if (!number) problems.add(name, ": not a whole number: got ", printable(*value));
  return number;
}

std::optional<double> ParsedFlags::number(const std::string& name, Problems& problems) const {
  const auto value = text(name);
  if (!value) return std::nullopt;
  double number = 0;
  const char* end = value->data() + value->size();
  const auto parsed = std::from_chars(value->data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    problems.add(name, ": not a number: got ", printable(*value));
    return std::nullopt;
  }
  return number;
}

std::vector<std::string> ParsedFlags::names() const {
  std::vector<std::string> names;
  for (const auto& [name, values] : given_) names.push_back(name);
  return names;
}

ParsedFlags parse_flags(const CommandInfo& command, const std::vector<std::string>& words,
                        size_t max_arguments) {
  const auto which = static_cast<Command>(command.command);
  const std::string where(command.name);
  ParsedFlags help(which, {{"--help", {}}}, {});
  const auto flags = flags_of(which);
  CLI::App parser;
  parser.set_help_flag();
  parser.allow_extras();
  std::vector<CLI::Option*> options;
  options.reserve(flags.size());
  for (const auto& flag : flags) options.push_back(declare(parser, flag));
  try {
    parser.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    if (std::any_of(words.begin(), words.end(), is_help)) return help;
    fail<ConfigError>(where, ": ", error.what());
  }

  Problems problems;
  std::map<std::string, std::vector<std::string>> given;
  for (size_t i = 0; i < flags.size(); ++i) {
    if (options[i]->count() == 0) continue;
    const std::string name = flags[i].name();
    if (name == "--help") return help;
    auto values = options[i]->results();
    if (flags[i].later) {
      problems.add(name, ": not in this version");
    } else if (flags[i].values != Values::kMany && values.size() > values_of(flags[i])) {
      problems.add(name, ": came more than once");
    } else if (flags[i].values == Values::kTwo && values.size() < 2) {
      problems.add(name, ": wants two values: got ", printable(values.front()), ", want ",
                   flags[i].value_name);
    } else {
      const bool no_value = flags[i].values == Values::kNone ||
                            (flags[i].values == Values::kOptional && values.front().empty());
      if (no_value) values.clear();
      given[name] = std::move(values);
    }
  }
  std::vector<std::string> arguments;
  sort_rest(parser.remaining(), flags, max_arguments, arguments, problems);
  problems.throw_if_any<ConfigError>(where);
  return {which, std::move(given), std::move(arguments)};
}

}  // namespace reel::app
