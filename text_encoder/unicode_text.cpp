#include "text_encoder/unicode_text.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "core/error.h"
#include "core/utf8.h"

// Note [Unicode versions]
// Token ids must equal those of Hugging Face's tokenizers 0.23, which mixes tables: composition
// from Unicode 9, lower case from Unicode 17. utf8proc 2.8 has Unicode 15. So compose() takes
// combining characters that are newer than Unicode 9 for characters that nothing combines with,
// and lower_case() adds the pairs that are newer than Unicode 15. tests/unit/text_encoder compares
// both with tokenizers over all code points.
namespace reel::text_encoder {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Characters that take part in composition or reordering since a version after Unicode 9.
constexpr Range kNewlyCombining[] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},
    {0xC3C, 0xC3C},     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},
    {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},   {0x10D24, 0x10D27},
    {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85},
    {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x11839, 0x1183A},
    {0x11930, 0x11930}, {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943},
    {0x119E0, 0x119E0}, {0x11A34, 0x11A34}, {0x11A47, 0x11A47}, {0x11A99, 0x11A99},
    {0x11D42, 0x11D42}, {0x11D44, 0x11D45}, {0x11D97, 0x11D97}, {0x11F41, 0x11F42},
    {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE},
    {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF},
};

struct LowerRange {
  char32_t first;
  char32_t last;
  char32_t lower_of_first;
};

// Lower case of Unicode 16 and 17.
constexpr LowerRange kNewLowerCase[] = {
    {0x1C89, 0x1C89, 0x1C8A},    {0xA7CB, 0xA7CB, 0x264},  {0xA7CC, 0xA7CC, 0xA7CD},
    {0xA7CE, 0xA7CE, 0xA7CF},    {0xA7D2, 0xA7D2, 0xA7D3}, {0xA7D4, 0xA7D4, 0xA7D5},
    {0xA7DA, 0xA7DA, 0xA7DB},    {0xA7DC, 0xA7DC, 0x19B},  {0x10D50, 0x10D65, 0x10D70},
    {0x16EA0, 0x16EB8, 0x16EBB},
};

constexpr char32_t kCapitalIWithDot = 0x130;  // the only character whose lower case is two
constexpr char32_t kCombiningDotAbove = 0x307;

bool is_newly_combining(char32_t c) {
  return std::any_of(std::begin(kNewlyCombining), std::end(kNewlyCombining),
                     [c](const Range& range) { return c >= range.first && c <= range.last; });
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

bool is_space(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

int combining_class(utf8proc_int32_t c) {
  return utf8proc_get_property(c)->combining_class;
}

// Sorts every run of combining characters by class. utf8proc's own reordering takes quadratic time.
void reorder(std::vector<utf8proc_int32_t>& text) {
  for (auto begin = text.begin(); begin != text.end();) {
    if (combining_class(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end =
        std::find_if(begin, text.end(), [](auto c) { return combining_class(c) == 0; });
    std::stable_sort(begin, end,
                     [](auto a, auto b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

void append_decomposed(std::vector<utf8proc_int32_t>& text, char32_t c) {
  std::array<utf8proc_int32_t, 16> parts;  // no character has more than 4
  int boundary = 0;
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(),
                                             parts.size(), UTF8PROC_DECOMPOSE, &boundary);
  if (count < 0) fail<ShapeError>("compose: utf8proc error ", count, " for code point ", +c);
  text.insert(text.end(), parts.begin(), parts.begin() + count);
}

void append_composed(std::string& result, std::vector<utf8proc_int32_t>& text) {
  reorder(text);
  const auto length =
      utf8proc_normalize_utf32(text.data(), static_cast<utf8proc_ssize_t>(text.size()),
                               static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  if (length < 0) fail<ShapeError>("compose: utf8proc error ", length);
  for (utf8proc_ssize_t i = 0; i < length; ++i) {
    append_utf8(result, static_cast<char32_t>(text[static_cast<size_t>(i)]));
  }
  text.clear();
}

}  // namespace

std::string compose(std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  std::string result;
  std::vector<utf8proc_int32_t> waiting;
  for (size_t position = 0; position < text.size();) {
    const char32_t c = next_code_point(text, position);
    if (is_newly_combining(c)) {
      append_composed(result, waiting);
      append_utf8(result, c);
    } else {
      append_decomposed(waiting, c);
    }
  }
  append_composed(result, waiting);
  return result;
}

std::string collapse_spaces(std::string_view text) {
  std::string result;
  bool after_space = false;
  for (size_t position = 0; position < text.size();) {
    const char32_t c = next_code_point(text, position);
    const bool space = is_space(c);
    if (!space) append_utf8(result, c);
    if (space && !after_space) result += ' ';
    after_space = space;
  }
  return result;
}

std::string lower_case(std::string_view text) {
  std::string result;
  for (size_t position = 0; position < text.size();) {
    const char32_t c = next_code_point(text, position);
    if (c == kCapitalIWithDot) {
      append_utf8(result, U'i');
      append_utf8(result, kCombiningDotAbove);
      continue;
    }
    const auto found =
        std::find_if(std::begin(kNewLowerCase), std::end(kNewLowerCase),
                     [c](const LowerRange& r) { return c >= r.first && c <= r.last; });
    if (found != std::end(kNewLowerCase)) {
      append_utf8(result, found->lower_of_first + (c - found->first));
    } else {
      append_utf8(result,
                  static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
    }
  }
  return result;
}

}  // namespace reel::text_encoder
