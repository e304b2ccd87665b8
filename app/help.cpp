#include "app/help.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "app/commit.h"
#include "media/ffmpeg_version.h"

namespace reel::app {
namespace {

constexpr size_t kHelpColumn = 34;

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

}  // namespace

std::string program_help() {
  std::ostringstream text;
  text << "SparseReel renders text to video with HunyuanVideo models and sparse attention.\n\n"
       << "usage: sparsereel COMMAND [flags]\n\n";
  for (const auto& command : command_table()) {
    if (command.command == 0) continue;
    const std::string help(command.help);
    text << fmt::format("  {:<17}{}\n", command.name, help.substr(0, help.find('\n')));
  }
  text << "\n'sparsereel COMMAND --help' lists the flags of a command, 'sparsereel --version' what "
          "this\nprogram was built with.\n";
  return text.str();
}

std::string command_help(const CommandInfo& command) {
  std::ostringstream text;
  text << command.help << "\n\nusage: sparsereel " << command.name << ' ' << command.arguments
       << " [flags]\n";
  std::string_view group;
  for (const auto& flag : flags_of(static_cast<Command>(command.command))) {
    if (flag.later) continue;
    if (flag.group != group) text << '\n' << flag.group << '\n';
    group = flag.group;
    const std::string left = "  " + left_side(flag);
    const std::string right = right_side(flag);
    if (right.empty()) {
      text << left << '\n';
    } else if (left.size() < kHelpColumn) {
      text << fmt::format("{:<{}}{}\n", left, kHelpColumn, right);
    } else {
      text << fmt::format("{}\n{:<{}}{}\n", left, "", kHelpColumn, right);
    }
  }
  text << "\nexample: " << command.example << '\n';
  return text.str();
}

std::string version_text() {
  std::ostringstream text;
  text << "sparsereel " << REEL_VERSION << "\ncommit   " << kCommit << "\nLibTorch "
       << REEL_TORCH_VERSION << "\nFFmpeg   " << media::ffmpeg_version() << "\nCUDA     "
       << (REEL_CUDA ? "yes" : "no") << '\n';
  return text.str();
}

nlohmann::json program_json() {
  return {{"name", "sparsereel"}, {"version", REEL_VERSION}, {"commit", kCommit}};
}

}  // namespace reel::app
