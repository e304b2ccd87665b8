// JSON as files from outside must be: valid, without repeated keys, not nested without end.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace reel {

/// Parses `text`. What is wrong with it goes to `refuse`, which must throw: a syntax error, a key
/// that an object holds twice (plain parsers keep one of the two in silence), or more than 100
/// levels of nesting.
nlohmann::json parse_strict_json(std::string_view text,
                                 const std::function<void(const std::string&)>& refuse);

/// The same, or none if anything is wrong with it.
std::optional<nlohmann::json> try_strict_json(std::string_view text);

/// The text under `key`; empty if `value` is no object, or has something else or nothing there.
std::string text_in(const nlohmann::json& value, const std::string& key);

}  // namespace reel
