// Suggestions for mistyped names.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reel {

/// The candidate with the fewest edits (insert, delete, replace, swap of neighbours) from `name`,
/// the first of equals; none if even that one differs in more than a third of its letters.
std::optional<std::string> nearest_name(std::string_view name,
                                        const std::vector<std::string>& candidates);

}  // namespace reel
