// Text from files and users, made fit for one line of an error message.
#pragma once

#include <string>
#include <string_view>

namespace reel {

/// `text` with control characters and bytes that are not UTF-8 written as \xNN; of more than 160
/// bytes only the first and last 80, with "..." between them.
std::string printable(std::string_view text);

/// The same, whole, however long it is.
std::string all_printable(std::string_view text);

}  // namespace reel
