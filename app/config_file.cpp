#include "app/config_file.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/json_reader.h"
#include "core/nearest_name.h"
#include "core/printable.h"

namespace reel::app {
namespace {

using nlohmann::json;
using Given = std::map<std::string, std::vector<std::string>>;  // as ParsedFlags holds it
using Keys = std::map<std::string, const Flag*>;

const std::map<std::string_view, std::string>& sections() {
  static const std::map<std::string_view, std::string> kSections = {
      {"Prompt", "request"},
      {"Size", "request"},
      {"Sampling", "request"},
      {"Model", "model"},
      {"VAE", "vae"},
      {"Attention", "attention"},
      {"Selection of blocks", "attention"},
      {"Encoder", "encoder"},
      {"Jobs", "jobs"},
      {"Output", "output"},
      {"Messages", "messages"},
      {"Device", "device"}};
  return kSections;
}

// Flags that say the same thing in other words: one of them from above silences the others from
// below.
const std::vector<std::vector<std::string>>& alternatives() {
  static const std::vector<std::vector<std::string>> kAlternatives = {
      {"--prompt", "--prompt-file", "--prompts"},
      {"--seed", "--latents"},
      {"--width", "--video-size"},
      {"--height", "--video-size"},
      {"--offload", "--use-cpu-offload"},
      {"--quiet", "--verbose"}};
  return kAlternatives;
}

Keys keys_of(Command command) {
  Keys keys;
  for (const auto& flag : flag_table()) {
    if ((flag.commands & command) == 0) continue;
    if (const auto key = config_key(flag)) keys[*key] = &flag;
  }
  return keys;
}

std::vector<std::string> names_of(const Keys& keys) {
  std::vector<std::string> names;
  for (const auto& [name, flag] : keys) names.push_back(name);
  return names;
}

// Keys that other commands take are told apart from those that nobody knows.
void refuse_key(const std::string& where, const std::string& key, const CommandInfo& command,
                const Keys& keys, Problems& problems) {
  const auto& table = flag_table();
  const bool elsewhere = std::any_of(table.begin(), table.end(),
                                     [&](const Flag& flag) { return config_key(flag) == key; });
  if (elsewhere) {
    problems.add(where, ": not a flag of ", command.name, ": got ", printable(key));
    return;
  }
  const auto nearest = nearest_name(key, names_of(keys));
  problems.add(where, ": unknown key: got ", printable(key),
               nearest ? "; did you mean " + *nearest + "?"
                       : "; keys are flags as --help lists them: attention.tau, request.width");
}

// What `value` would be on the command line; none with a problem, or if it turns a switch off.
void take(const std::string& where, const Flag& flag, const json& value, Given& given,
          Problems& problems) {
  const std::string name = flag.name();
  const bool may_be_switch = flag.values == Values::kNone || flag.values == Values::kOptional;
  if (value.is_boolean() && may_be_switch) {
    if (value.get<bool>()) given[name] = {};
  } else if (value.is_string() && flag.values != Values::kNone) {
    given[name] = {value.get<std::string>()};
  } else if (value.is_number() && flag.values == Values::kOne) {
    given[name] = {value.dump()};
  } else {
    std::string got = value.dump(-1, ' ', false, json::error_handler_t::replace);
    problems.add(where, ": wrong type: got ", printable(got), ", want ",
                 flag.values == Values::kNone ? "true or false" : "a text or a number");
  }
}

Given read_file(const std::string& name, const CommandInfo& command, const Keys& keys,
                Problems& problems) {
  const JsonReader file = JsonReader::open(name, JsonOwner::kUser);
  Given given;
  for (const auto& section : file.keys()) {
    const json& values = file.raw(section);
    if (section == "format") {
      if (values != 1) problems.add(name, ": /format: unknown version: want 1");
      continue;
    }
    if (!values.is_object()) {
      const bool known = std::any_of(keys.begin(), keys.end(), [&](const auto& key) {
        return key.first.starts_with(section + ".");
      });
      if (known) {
        problems.add(name, ": /", section, ": wrong type: want an object of flags");
      } else {
        refuse_key(name, section, command, keys, problems);
      }
      continue;
    }
    for (const auto& [key, value] : values.items()) {
      const std::string whole = section + "." + key;
      const auto found = keys.find(whole);
      if (found == keys.end()) {
        refuse_key(name, whole, command, keys, problems);
      } else {
        take(name + ": " + whole, *found->second, value, given, problems);
      }
    }
  }
  return given;
}

// "attention.tau=0.9": the value of a switch is true or false.
void read_setting(const std::string& text, const CommandInfo& command, const Keys& keys,
                  Given& given, Problems& problems) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    problems.add("--set: no value: got ", printable(text), ", want KEY=VALUE");
    return;
  }
  const std::string key = text.substr(0, equals);
  const std::string value = text.substr(equals + 1);
  const auto found = keys.find(key);
  if (found == keys.end()) {
    refuse_key("--set", key, command, keys, problems);
    return;
  }
  const Flag& flag = *found->second;
  if (given.contains(flag.name())) {
    problems.add("--set: came more than once: got ", key);
  } else if (flag.values != Values::kOne && (value == "true" || value == "false")) {
    take("--set: " + key, flag, value == "true", given, problems);
  } else {
    take("--set: " + key, flag, value, given, problems);
  }
}

bool is_silenced(const std::string& name, const Given& above) {
  if (above.contains(name)) return true;
  for (const auto& group : alternatives()) {
    if (std::find(group.begin(), group.end(), name) == group.end()) continue;
    for (const auto& other : group) {
      if (above.contains(other)) return true;
    }
  }
  return false;
}

void add_below(Given& above, const Given& below) {
  Given added;
  for (const auto& [name, values] : below) {
    if (!is_silenced(name, above)) added[name] = values;
  }
  above.merge(added);
}

}  // namespace

std::optional<std::string> config_key(const Flag& flag) {
  const auto section = sections().find(flag.group);
  const std::string name = flag.name();
  // Two values in the order that people get wrong; width and height are there too.
  const bool useless = flag.later || flag.values == Values::kTwo || flag.values == Values::kMany ||
                       name == "--config" || name == "--dry-run" || name == "--help";
  if (section == sections().end() || useless) return std::nullopt;
  std::string key = section->second + "." + name.substr(2);
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

ParsedFlags with_config(const CommandInfo& command, ParsedFlags flags) {
  if (!flags.takes("--config")) return flags;
  Problems problems;
  const Keys keys = keys_of(static_cast<Command>(command.command));
  Given given = flags.given();
  Given set;
  for (const auto& text : flags.list("--set")) read_setting(text, command, keys, set, problems);
  add_below(given, set);
  if (const auto file = flags.text("--config")) {
    add_below(given, read_file(*file, command, keys, problems));
  }
  problems.throw_if_any<ConfigError>(std::string(command.name));
  return {static_cast<Command>(command.command), std::move(given), flags.arguments()};
}

nlohmann::ordered_json config_of(const ParsedFlags& flags) {
  nlohmann::ordered_json config = {{"format", 1}};
  for (const auto& flag : flag_table()) {
    const auto key = config_key(flag);
    const auto found = flags.given().find(flag.name());
    if (!key || !flags.takes(flag) || found == flags.given().end()) continue;
    const size_t dot = key->find('.');
    auto& value = config[key->substr(0, dot)][key->substr(dot + 1)];
    if (found->second.empty()) {
      value = true;
    } else {
      value = found->second.front();
    }
  }
  if (const auto size = flags.given().find("--video-size"); size != flags.given().end()) {
    config["request"]["height"] = size->second.at(0);
    config["request"]["width"] = size->second.at(1);
  }
  return config;
}

}  // namespace reel::app
