// What differs between two clips' metadata, in words for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace reel::app {

/// "steps: was 20, is 50": one line for each key of `now` whose value in `before` is another, but
/// for those in `ignored`. Values that both lack are equal; nothing else is looked at.
std::vector<std::string> differences(const nlohmann::json& before, const nlohmann::json& now,
                                     const std::vector<std::string>& ignored);

}  // namespace reel::app
