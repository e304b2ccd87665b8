// Every flag of the program, declared once: parsing, help, suggestions and refusals all read this.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace reel::app {

/// How many values follow a flag. kMany: one, and the flag may come again.
enum class Values { kNone, kOne, kTwo, kOptional, kMany };

/// Which commands take a flag; a set of bits.
enum Command : unsigned {
  kGenerate = 1,
  kProbe = 2,
  kInspect = 4,
  kBatch = 8,
  kMetrics = 16,
  kCompare = 32,
  kSweep = 1U << 10,
  kCalibrate = 1U << 11,
  kDecode = 1U << 12,
  kReplay = 1U << 13,
  kDoctor = 1U << 14,
  kCompletions = 1U << 15,
  kVbenchPrepare = 1U << 16,
  kVbenchRun = 1U << 17,
  kVbenchCheck = 1U << 18,
  kVbenchEvaluate = 1U << 19,
  kVbenchScore = 1U << 20,
};

struct Flag {
  std::string_view group;      ///< its heading in the help
  unsigned commands;           ///< bits of Command
  std::string_view spellings;  ///< "-p,--prompt": short, canonical, then accepted aliases
  Values values;
  std::string_view value_name;     ///< "TEXT", for the help
  std::string_view default_value;  ///< for the help; empty: none
  std::string_view help;
  bool later = false;  ///< belongs to a later version: refused

  /// The first long spelling, which is the one that errors and code use.
  std::string name() const;

  /// All spellings in their order.
  std::vector<std::string> all_names() const;
};

/// All flags in the order of the help.
const std::vector<Flag>& flag_table();

/// The flags of one command.
std::vector<Flag> flags_of(Command command);

/// A subcommand.
struct CommandInfo {
  std::string_view name;
  std::string_view arguments;  ///< after the name in the usage line
  std::string_view help;
  std::string_view example;
  unsigned command;  ///< 0: belongs to a later version
};

const std::vector<CommandInfo>& command_table();

}  // namespace reel::app
