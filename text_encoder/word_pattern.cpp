#include "text_encoder/word_pattern.h"

#include "core/error.h"
#include "core/printable.h"
#include "core/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace reel::text_encoder {
namespace {

// The Unicode property White_Space. PCRE2's own \s has U+180E too, which lost the property in 2013.
constexpr std::string_view kSpace =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

// Letters and numbers of Unicode 16 that Unicode 14, the version of PCRE2 10.42, does not have.
constexpr std::string_view kLetters =
    R"(\p{L}\x{1c89}-\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc}\x{105c0}-\x{105f3})"
    R"(\x{10d4a}-\x{10d65}\x{10d6f}-\x{10d85}\x{10ec2}-\x{10ec4}\x{1123f}-\x{11240})"
    R"(\x{11380}-\x{11389}\x{1138b}\x{1138e}\x{11390}-\x{113b5}\x{113b7}\x{113d1}\x{113d3})"
    R"(\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10}\x{11f12}-\x{11f33}\x{1342f})"
    R"(\x{13441}-\x{13446}\x{13460}-\x{143fa}\x{16100}-\x{1611d}\x{16d40}-\x{16d6c}\x{18cff})"
    R"(\x{1b132}\x{1b155}\x{1df25}-\x{1df2a}\x{1e030}-\x{1e06d}\x{1e4d0}-\x{1e4eb})"
    R"(\x{1e5d0}-\x{1e5ed}\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})";
constexpr std::string_view kNumbers =
    R"(\p{N}\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59})"
    R"(\x{16130}-\x{16139}\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1d2c0}-\x{1d2d3})"
    R"(\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})";

struct Class {
  std::string_view spelling;
  std::string_view members;
  bool negated;
};
constexpr Class kClasses[] = {
    {R"(\s)", kSpace, false},     {R"(\S)", kSpace, true},       {R"(\p{L})", kLetters, false},
    {R"(\P{L})", kLetters, true}, {R"(\p{N})", kNumbers, false}, {R"(\P{N})", kNumbers, true},
};

}  // namespace

std::string pattern_for_pcre2(std::string_view pattern, const std::string& where) {
  std::string result;
  bool in_brackets = false;
  for (size_t i = 0; i < pattern.size();) {
    const Class* found = nullptr;
    for (const Class& candidate : kClasses) {
      if (pattern.substr(i).starts_with(candidate.spelling)) found = &candidate;
    }
    if (found != nullptr) {
      if (in_brackets && found->negated) {
        fail<WeightError>(where, ": regular expression is not supported: got ", found->spelling,
                          " inside brackets, want a class that is not negated");
      }
      if (!in_brackets) result += found->negated ? "[^" : "[";
      result += found->members;
      if (!in_brackets) result += "]";
      i += found->spelling.size();
      continue;
    }
    const size_t length = pattern[i] == '\\' ? 2 : 1;
    if (pattern[i] == '[') in_brackets = true;
    if (pattern[i] == ']') in_brackets = false;
    result += pattern.substr(i, length);
    i += length;
  }
  return result;
}

WordPattern::WordPattern(std::string_view pattern, const std::string& where) : where_(where) {
  if (find_invalid_utf8(pattern)) {
    fail<WeightError>(where, ": regular expression is not UTF-8: got ", printable(pattern));
  }
  const std::string translated = pattern_for_pcre2(pattern, where);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  if (code == nullptr) {
    char message[256] = {};
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(message), sizeof(message));
    fail<WeightError>(where, ": regular expression is not supported: got ", printable(pattern),
                      ": ", message);
  }
  code_ = std::shared_ptr<const void>(
      code, [](const void* p) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(p))); });
}

std::vector<Span> WordPattern::matches(std::string_view text) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
      pcre2_match_data_create_from_pattern(code, nullptr), &pcre2_match_data_free);
  std::vector<Span> spans;
  for (size_t begin = 0; begin < text.size();) {
    // The caller has checked the text; checking it for each word would take quadratic time.
    const int rc = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), begin,
                               PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    if (rc == PCRE2_ERROR_NOMATCH) break;
    if (rc < 0) {
      fail<ConfigError>(where_, ": the text is too hard to cut into words: PCRE2 error ", rc,
                        " at byte ", begin);
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
    if (bounds[1] > bounds[0]) {
      spans.push_back({bounds[0], bounds[1]});
      begin = bounds[1];
    } else {
      begin = bounds[0];
      if (begin < text.size()) next_code_point(text, begin);
    }
  }
  return spans;
}

std::vector<Span> WordPattern::pieces(std::string_view text) const {
  std::vector<Span> pieces;
  size_t end = 0;
  for (const Span& span : matches(text)) {
    if (span.begin > end) pieces.push_back({end, span.begin});
    pieces.push_back(span);
    end = span.end;
  }
  if (end < text.size()) pieces.push_back({end, text.size()});
  return pieces;
}

}  // namespace reel::text_encoder
