// Random strings, the same as tools/goldens/text_encoder.py makes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace reel::text_encoder {

/// `count` strings of up to 47 pieces: code points from everywhere and bits of special tokens.
std::vector<std::string> random_strings(uint64_t seed, int64_t count);

/// Three times `code_point`, among letters, marks and digits.
std::string character_in_context(char32_t code_point);

}  // namespace reel::text_encoder
