// `sparsereel completions SHELL`: what a shell needs to complete commands, flags and their values,
// from the table of flags.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "app/commands.h"
#include "core/printable.h"

namespace reel::app {
namespace {

using Words = std::vector<std::string>;

std::string joined(const Words& words, const std::string& between = " ") {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

Words split(std::string_view text, char at) {
  Words words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(at), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

// The values of a flag such as "auto|on|off"; none where any text may stand.
Words choices_of(const Flag& flag) {
  Words choices = split(flag.value_name, '|');
  const auto is_plain = [](const std::string& word) {
    return std::all_of(word.begin(), word.end(), [](unsigned char c) {
      return std::islower(c) != 0 || std::isdigit(c) != 0;
    });
  };
  if (choices.size() < 2) return {};
  std::erase_if(choices, [&](const std::string& word) { return !is_plain(word); });
  return choices;
}

bool takes_path(const Flag& flag) {
  const std::string_view name = flag.value_name;
  return name.find("FILE") != name.npos || name.find("DIR") != name.npos ||
         name.find("PATH") != name.npos || name == "IN" || name == "OUT" || name == "PROGRAM";
}

std::vector<const CommandInfo*> commands() {
  std::vector<const CommandInfo*> list;
  for (const auto& command : command_table()) {
    if (command.command != 0) list.push_back(&command);
  }
  return list;
}

std::vector<Flag> usable_flags(const CommandInfo& command) {
  auto flags = flags_of(static_cast<Command>(command.command));
  std::erase_if(flags, [](const Flag& flag) { return flag.later; });
  return flags;
}

// First words of all commands, each once.
Words first_words() {
  Words words;
  for (const auto* command : commands()) {
    const std::string word = split(command->name, ' ').front();
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  }
  return words;
}

Words second_words(const std::string& first) {
  Words words;
  for (const auto* command : commands()) {
    const Words both = split(command->name, ' ');
    if (both.size() == 2 && both[0] == first) words.push_back(both[1]);
  }
  return words;
}

Words spellings_of(const CommandInfo& command) {
  Words words;
  for (const auto& flag : usable_flags(command)) {
    for (const auto& name : flag.all_names()) words.push_back(name);
  }
  return words;
}

// The cases of "what follows this flag", the same in bash and zsh.
std::string value_cases(const CommandInfo& command) {
  std::string text;
  for (const auto& flag : usable_flags(command)) {
    if (flag.values == Values::kNone) continue;
    const Words choices = choices_of(flag);
    const std::string result = !choices.empty()   ? "choices=\"" + joined(choices) + "\""
                               : takes_path(flag) ? "kind=files"
                                                  : "kind=text";
    text += fmt::format("        {}) {} ;;\n", joined(flag.all_names(), "|"), result);
  }
  return text;
}

// Sets `kind` (words, files or text) and `words` for the word after "$previous".
std::string sh_decision() {
  std::string text = "  local kind=words choices=\"\"\n  case \"$command\" in\n";
  for (const auto* command : commands()) {
    text += fmt::format(
        "    '{}')\n      case \"$previous\" in\n{}        *) choices=\"{}\" ;;\n"
        "      esac ;;\n",
        command->name, value_cases(*command), joined(spellings_of(*command)));
  }
  for (const auto& first : first_words()) {
    const Words second = second_words(first);
    if (!second.empty())
      text += fmt::format("    '{}') choices=\"{}\" ;;\n", first, joined(second));
  }
  text += fmt::format("    *) choices=\"{} --help --version\" ;;\n  esac\n", joined(first_words()));
  return text;
}

std::string two_word_pattern() {
  Words firsts;
  for (const auto& first : first_words()) {
    if (!second_words(first).empty()) firsts.push_back(first);
  }
  return joined(firsts, "|");
}

std::string bash_completions() {
  return "# bash completion of sparsereel; made by: sparsereel completions bash\n"
         "_sparsereel() {\n"
         "  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
         "  local command=\"\"\n"
         "  if ((COMP_CWORD > 1)); then command=\"${COMP_WORDS[1]}\"; fi\n"
         "  case \"$command\" in\n    " +
         two_word_pattern() +
         ") if ((COMP_CWORD > 2)); then command+=\" ${COMP_WORDS[2]}\"; fi ;;\n  esac\n" +
         sh_decision() +
         "  COMPREPLY=()\n"
         "  if [[ $kind == words && ( $current == -* || $choices != -* || -z $current ) ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$choices\" -- \"$current\"))\n"
         "  fi\n"
         "  if [[ $kind == files || ( $kind == words && $current != -* && $choices == -* ) ]]; "
         "then\n"
         "    compopt -o filenames 2>/dev/null\n"
         "    local IFS=$'\\n'\n"
         "    COMPREPLY+=($(compgen -f -- \"$current\"))\n"
         "  fi\n"
         "}\n"
         "complete -F _sparsereel sparsereel\n";
}

std::string zsh_completions() {
  return "#compdef sparsereel\n"
         "# zsh completion of sparsereel; made by: sparsereel completions zsh\n"
         "_sparsereel() {\n"
         "  local current=\"${words[CURRENT]}\" previous=\"${words[CURRENT-1]}\" command=\"\"\n"
         "  local -a line=(\"${words[@]}\")\n"
         "  if ((CURRENT > 2)); then command=\"${line[2]}\"; fi\n"
         "  case \"$command\" in\n    " +
         two_word_pattern() +
         ") if ((CURRENT > 3)); then command+=\" ${line[3]}\"; fi ;;\n  esac\n" + sh_decision() +
         "  if [[ $kind == words && ( $current == -* || $choices != -* || -z $current ) ]]; then\n"
         "    compadd -- ${=choices}\n"
         "  fi\n"
         "  if [[ $kind == files || ( $kind == words && $current != -* && $choices == -* ) ]]; "
         "then\n"
         "    _files\n"
         "  fi\n"
         "}\n"
         "if [[ $funcstack[1] == _sparsereel ]]; then _sparsereel \"$@\"; "
         "else compdef _sparsereel sparsereel; fi\n";
}

// Text within single quotes of fish.
std::string fish_quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string fish_condition(const CommandInfo& command) {
  const Words both = split(command.name, ' ');
  std::string text = "__fish_seen_subcommand_from " + both[0];
  if (both.size() == 2) text += "; and __fish_seen_subcommand_from " + both[1];
  return text;
}

std::string fish_flag(const CommandInfo& command, const Flag& flag) {
  std::string text =
      fmt::format("complete -c sparsereel -n {}", fish_quoted(fish_condition(command)));
  for (const auto& name : flag.all_names()) {
    text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (flag.values != Values::kNone && flag.values != Values::kOptional) {
    const Words choices = choices_of(flag);
    text += choices.empty() ? (takes_path(flag) ? " -rF" : " -x")
                            : " -xa " + fish_quoted(joined(choices));
  }
  return text + " -d " + fish_quoted(flag.help) + "\n";
}

std::string fish_completions() {
  std::string text = "# fish completion of sparsereel; made by: sparsereel completions fish\n";
  const auto one_line = [](std::string_view help) { return help.substr(0, help.find('\n')); };
  for (const auto* command : commands()) {
    const Words both = split(command->name, ' ');
    const std::string condition =
        both.size() == 1
            ? "__fish_use_subcommand"
            : fmt::format("__fish_seen_subcommand_from {}; and not __fish_seen_subcommand_from {}",
                          both[0], joined(second_words(both[0])));
    text += fmt::format("complete -c sparsereel -n {} -fa {} -d {}\n", fish_quoted(condition),
                        both.back(), fish_quoted(one_line(command->help)));
  }
  for (const auto& first : first_words()) {
    if (second_words(first).empty()) continue;
    text += fmt::format("complete -c sparsereel -n __fish_use_subcommand -fa {}\n", first);
  }
  for (const auto* command : commands()) {
    for (const auto& flag : usable_flags(*command)) text += fish_flag(*command, flag);
  }
  return text;
}

}  // namespace

int run_completions(const ParsedFlags& flags, Console& console) {
  const std::string shell = flags.arguments().empty() ? "" : flags.arguments().front();
  std::string text;
  if (shell == "bash") {
    text = bash_completions();
  } else if (shell == "zsh") {
    text = zsh_completions();
  } else if (shell == "fish") {
    text = fish_completions();
  } else {
    fail<ConfigError>("completions: unknown shell: got ", shell.empty() ? "none" : printable(shell),
                      ", want bash, zsh or fish");
  }
  console.result(text.substr(0, text.size() - 1));
  return 0;
}

}  // namespace reel::app
