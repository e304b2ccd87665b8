#include "app/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "media/ffmpeg_version.h"
#include "pipeline/version.h"

namespace reel::app {
namespace {

constexpr size_t kHelpColumn = 34;
constexpr size_t kColumns = 100;

// `left`, then `right` from `column` on, wrapped between words; each of its lines is a paragraph.
std::string in_columns(const std::string& left, const std::string& right, size_t column) {
  const std::string indent(column, ' ');
  const bool shares_line = left.size() < column || column == 0;
  std::string text = shares_line ? "" : left + '\n';
  std::string line = shares_line ? left + indent.substr(left.size()) : indent;
  std::istringstream paragraphs(right);
  for (std::string paragraph; std::getline(paragraphs, paragraph); line = indent) {
    std::istringstream words(paragraph);
    bool is_first = true;
    for (std::string word; words >> word; is_first = false) {
      if (!is_first && line.size() + 1 + word.size() > kColumns) {
        text += line + '\n';
        line = indent;
        is_first = true;
      }
      line += (is_first ? "" : " ") + word;
    }
    text += line + '\n';
  }
  return text;
}

// "-p, --prompt TEXT": the short and the canonical spelling.
std::string left_side(const Flag& flag) {
  const auto names = flag.all_names();
  const bool has_short = names.front().size() == 2;
  std::string text = has_short ? fmt::format("{}, {}", names.front(), flag.name())
                               : fmt::format("    {}", flag.name());
  if (!flag.value_name.empty()) text += fmt::format(" {}", flag.value_name);
  return text;
}

// Meaning, default and aliases.
std::string right_side(const Flag& flag) {
  std::string text(flag.help);
  if (!flag.default_value.empty()) {
    text += fmt::format("{}default {}", text.empty() ? "" : "; ", flag.default_value);
  }
  std::string aliases;
  for (const auto& name : flag.all_names()) {
    if (name.size() > 2 && name != flag.name()) aliases += fmt::format(" {}", name);
  }
  if (!aliases.empty()) text += fmt::format(" [also{}]", aliases);
  return text;
}

// True if a quotation has begun in `text` and not ended.
bool is_quoted(const std::string& text) {
  return std::count(text.begin(), text.end(), '"') % 2 == 1;
}

// A command line over several lines, as a shell takes it: only whole arguments move on.
std::string example_lines(std::string_view example) {
  const std::string indent(sizeof("example: ") - 1, ' ');
  std::string text;
  std::string line = "example:";
  std::string flag;  // an option waits for its value
  std::istringstream words{std::string(example)};
  const auto take = [&] {
    if (flag.empty()) return;
    if (line.size() + 1 + flag.size() + 2 > kColumns) {
      text += line + " \\\n";
      line = indent.substr(1);
    }
    line += ' ' + flag;
    flag.clear();
  };
  for (std::string word; words >> word;) {
    if (word.starts_with('-') && !is_quoted(flag)) take();
    flag += (flag.empty() ? "" : " ") + word;
  }
  take();
  return text + line + '\n';
}

}  // namespace

std::string program_help() {
  std::ostringstream text;
  text << "SparseReel renders text to video with HunyuanVideo models and sparse attention.\n\n"
       << "usage: sparsereel COMMAND [flags]\n\n";
  for (const auto& command : command_table()) {
    if (command.command == 0) continue;
    const std::string help(command.help);
    text << in_columns(fmt::format("  {}", command.name), help.substr(0, help.find('\n')), 19);
  }
  text << "\n'sparsereel COMMAND --help' lists the flags of a command, 'sparsereel --version' what "
          "this\nprogram was built with.\n";
  return text.str();
}

std::string command_help(const CommandInfo& command) {
  std::ostringstream text;
  text << in_columns("", std::string(command.help), 0)
       << fmt::format("\nusage: sparsereel {} {} [flags]\n", command.name, command.arguments);
  std::string_view group;
  for (const auto& flag : flags_of(static_cast<Command>(command.command))) {
    if (flag.later) continue;
    if (flag.group != group) text << '\n' << flag.group << '\n';
    group = flag.group;
    const std::string left = "  " + left_side(flag);
    const std::string right = right_side(flag);
    text << (right.empty() ? left + '\n' : in_columns(left, right, kHelpColumn));
  }
  text << '\n' << example_lines(command.example);
  return text.str();
}

std::string version_text() {
  std::ostringstream text;
  text << "sparsereel " << pipeline::kVersion << "\ncommit   " << pipeline::kCommit << "\nLibTorch "
       << REEL_TORCH_VERSION << "\nFFmpeg   " << media::ffmpeg_version() << "\nCUDA     "
       << (REEL_CUDA ? "yes" : "no") << '\n';
  return text.str();
}

}  // namespace reel::app
