#include "core/strict_json.h"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "core/printable.h"

namespace reel {

nlohmann::json parse_strict_json(std::string_view text,
                                 const std::function<void(const std::string&)>& refuse) {
  using Event = nlohmann::json::parse_event_t;
  constexpr int kDeepest = 100;
  std::vector<std::unordered_set<std::string>> open_objects;
  const auto on_event = [&](int depth, Event event, nlohmann::json& value) {
    if (depth > kDeepest) refuse("JSON is nested too deeply");
    if (event == Event::object_start) {
      open_objects.emplace_back();
    } else if (event == Event::object_end) {
      open_objects.pop_back();
    } else if (event == Event::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!open_objects.back().insert(key).second) {
        refuse("a key appears twice in the JSON: " + printable(key));
      }
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, on_event);
  } catch (const nlohmann::json::parse_error& error) {
    refuse("not valid JSON at byte " + std::to_string(error.byte));
  } catch (const nlohmann::json::out_of_range&) {
    refuse("not valid JSON: a number is too large");
  }
  return {};
}

std::optional<nlohmann::json> try_strict_json(std::string_view text) {
  struct Refused {};
  try {
    return parse_strict_json(text, [](const std::string&) { throw Refused(); });
  } catch (const Refused&) {
    return std::nullopt;
  }
}

std::string text_in(const nlohmann::json& value, const std::string& key) {
  if (!value.is_object() || !value.contains(key) || !value.at(key).is_string()) return {};
  return value.at(key).get<std::string>();
}

}  // namespace reel
