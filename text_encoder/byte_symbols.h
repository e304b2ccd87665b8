// The printable spelling of bytes in published byte-level vocabularies.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace reel::text_encoder {

/// The character that stands for each byte (spec/hunyuanvideo.md 3.1): printable Latin-1 for
/// itself, the other 68 bytes in order from U+0100.
const std::array<char32_t, 256>& byte_symbols();

/// The bytes that `symbols` (UTF-8) spells, or none if a character stands for no byte.
std::optional<std::string> bytes_of_symbols(std::string_view symbols);

}  // namespace reel::text_encoder
