// Cuts text into words by a tokenizer's published regular expression.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace reel::text_encoder {

/// A piece of a text.
struct Span {
  size_t begin;
  size_t end;

  bool operator==(const Span&) const = default;
};

/// Rewrites the Unicode classes of `pattern` so that PCRE2 reads them as Hugging Face's tokenizers
/// do, whose tables are those of Unicode 16: \s without U+180E, \p{L} and \p{N} with the characters
/// that PCRE2 10.42 does not know yet. Throws WeightError, naming `where`, for \S, \P{L} or \P{N}
/// inside brackets.
std::string pattern_for_pcre2(std::string_view pattern, const std::string& where);

/// A compiled pattern. May be shared between threads.
class WordPattern {
 public:
  /// Throws WeightError, naming `where`, if PCRE2 refuses `pattern`.
  WordPattern(std::string_view pattern, const std::string& where);

  /// All matches in `text` (valid UTF-8) from left to right; empty ones are left out.
  std::vector<Span> matches(std::string_view text) const;

  /// The matches and what lies between them: together the whole text.
  std::vector<Span> pieces(std::string_view text) const;

 private:
  std::shared_ptr<const void> code_;  // pcre2_code_8
  std::string where_;
};

}  // namespace reel::text_encoder
