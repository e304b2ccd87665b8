#include "core/utf8.h"

#include <gtest/gtest.h>

namespace reel {
namespace {

std::optional<size_t> invalid_at(std::string_view bytes) {
  return find_invalid_utf8(bytes);
}

TEST(Utf8, EveryCodePointReturns) {
  for (char32_t point = 0; point <= 0x10FFFF; ++point) {
    if (point >= 0xD800 && point < 0xE000) continue;
    std::string text;
    append_utf8(text, point);
    ASSERT_EQ(invalid_at(text), std::nullopt) << "U+" << std::hex << uint32_t{point};
    size_t position = 0;
    ASSERT_EQ(next_code_point(text, position), point);
    ASSERT_EQ(position, text.size());
    const size_t want = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    ASSERT_EQ(text.size(), want);
  }
}

TEST(Utf8, SurrogatesAreInvalid) {
  for (char32_t point = 0xD800; point < 0xE000; ++point) {
    std::string text = "ab";
    append_utf8(text, point);
    ASSERT_EQ(invalid_at(text), 2U) << std::hex << uint32_t{point};
  }
}

TEST(Utf8, OverlongFormsAreInvalid) {
  EXPECT_EQ(invalid_at("\xC0\x80"), 0U);                // NUL in two bytes
  EXPECT_EQ(invalid_at("\xC1\xBF"), 0U);                // U+007F in two
  EXPECT_EQ(invalid_at("x\xE0\x9F\xBF"), 1U);           // U+07FF in three
  EXPECT_EQ(invalid_at("\xF0\x8F\xBF\xBF"), 0U);        // U+FFFF in four
  EXPECT_EQ(invalid_at("\xE0\xA0\x80"), std::nullopt);  // U+0800, the first of three
}

TEST(Utf8, ValuesBeyondUnicodeAreInvalid) {
  EXPECT_EQ(invalid_at("\xF4\x8F\xBF\xBF"), std::nullopt);  // U+10FFFF
  EXPECT_EQ(invalid_at("\xF4\x90\x80\x80"), 0U);
  EXPECT_EQ(invalid_at("\xF5\x80\x80\x80"), 0U);
  EXPECT_EQ(invalid_at("\xFF"), 0U);
}

TEST(Utf8, BrokenSequencesAreFoundWhereTheyBegin) {
  EXPECT_EQ(invalid_at("abc\x80"), 3U);  // a continuation alone
  EXPECT_EQ(invalid_at("a\xC3"), 1U);    // cut at the end
  EXPECT_EQ(invalid_at("a\xE7\x8B"), 1U);
  EXPECT_EQ(invalid_at("a\xF0\x9F\xA6"), 1U);
  EXPECT_EQ(invalid_at("\xC3(x"), 0U);  // a letter where a continuation must be
  EXPECT_EQ(invalid_at("\xE7\x8B(x"), 0U);
  EXPECT_EQ(invalid_at("ü狐\xF0\x9F(("), 5U);
  EXPECT_EQ(invalid_at(""), std::nullopt);
  EXPECT_EQ(invalid_at(std::string_view("a\0b", 3)), std::nullopt);  // NUL is a character
}

TEST(StripWhitespace, TouchesTheEndsOnly) {
  EXPECT_EQ(strip_whitespace(" \t a  b\n\u3000\u2003"), "a  b");
  EXPECT_EQ(strip_whitespace("\u00A0狐\u0085"), "狐");
  EXPECT_EQ(strip_whitespace("狐 "), "狐");
  EXPECT_EQ(strip_whitespace("  \n "), "");
  EXPECT_EQ(strip_whitespace(""), "");
  EXPECT_EQ(strip_whitespace("\u200Bx\u200B"), "\u200Bx\u200B");  // zero width is no white space
}

}  // namespace
}  // namespace reel
