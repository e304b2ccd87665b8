// Flags from a file (--config) and from --set: the same values under dotted keys, such as
// attention.tau. The command line goes first, then --set, then the file, then defaults.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/parsed_flags.h"

namespace reel::app {

/// The key of a flag: the section of its group in the help, a dot, and its name with _ for -
/// ("attention.dense_steps"). None for flags that make no sense in a file.
std::optional<std::string> config_key(const Flag& flag);

/// Adds what --config and --set say to `flags`, where the command line did not say it, or another
/// flag that excludes it, itself. Throws ConfigError with all problems: unknown keys with the
/// nearest known one, keys of flags that this command does not take, values of a wrong type.
ParsedFlags with_config(const CommandInfo& command, ParsedFlags flags);

/// The flags given so far as a config file that stands for them: {"format": 1, section: {...}}.
nlohmann::ordered_json config_of(const ParsedFlags& flags);

}  // namespace reel::app
