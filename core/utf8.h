// UTF-8 as text from outside needs it: checking, reading, stripping.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace reel {

/// The byte offset of the first sequence that is not UTF-8 (overlong forms, surrogates and values
/// above U+10FFFF are not), or none.
std::optional<size_t> find_invalid_utf8(std::string_view text);

/// Reads the code point at `position` of valid UTF-8 and moves `position` behind it.
char32_t next_code_point(std::string_view text, size_t& position);

/// Appends `code_point` to `text` as UTF-8.
void append_utf8(std::string& text, char32_t code_point);

/// Removes white space at both ends as Python's str.strip() does. `text` must be valid UTF-8.
std::string_view strip_whitespace(std::string_view text);

}  // namespace reel
