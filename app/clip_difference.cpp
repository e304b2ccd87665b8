#include "app/clip_difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/printable.h"

namespace reel::app {
namespace {

std::string value_text(const nlohmann::json& value) {
  if (value.is_null()) return "nothing";
  return printable(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace

std::vector<std::string> differences(const nlohmann::json& before, const nlohmann::json& now,
                                     const std::vector<std::string>& ignored) {
  std::vector<std::string> lines;
  for (const auto& [key, value] : now.items()) {
    if (std::find(ignored.begin(), ignored.end(), key) != ignored.end()) continue;
    const auto was = before.is_object() ? before.value(key, nlohmann::json()) : nlohmann::json();
    if (was == value) continue;
    lines.push_back(fmt::format("{}: was {}, is {}", key, value_text(was), value_text(value)));
  }
  return lines;
}

}  // namespace reel::app
