// Unicode normalisation as the published CLIP tokenizer does it.
#pragma once

#include <string>
#include <string_view>

namespace reel::text_encoder {

// Each takes valid UTF-8. Note [Unicode versions] in unicode_text.cpp says whose tables they
// follow.

/// Canonical composition (NFC).
std::string compose(std::string_view text);

/// Replaces every run of white space by one space.
std::string collapse_spaces(std::string_view text);

/// Replaces every character by its lower case, whatever stands around it.
std::string lower_case(std::string_view text);

}  // namespace reel::text_encoder
