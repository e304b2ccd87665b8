#include "core/printable.h"

#include <gtest/gtest.h>

#include "core/utf8.h"

namespace reel {
namespace {

TEST(Printable, LeavesOrdinaryTextAsItIs) {
  EXPECT_EQ(printable(""), "");
  EXPECT_EQ(printable("layers.0.weight"), "layers.0.weight");
  EXPECT_EQ(printable("Füchse \xf0\x9f\xa6\x8a"), "Füchse \xf0\x9f\xa6\x8a");
}

TEST(Printable, EscapesWhatWouldMoveTheCursor) {
  EXPECT_EQ(printable("a\nb\tc\x7f"), "a\\x0ab\\x09c\\x7f");
  EXPECT_EQ(printable("\x1b[2J"), "\\x1b[2J");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");           // a C1 control
  EXPECT_EQ(printable("\xe2\x80\xa8"), "\\xe2\\x80\\xa8");  // line separator
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
}

TEST(Printable, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("a\xff\xfe!"), "a\\xff\\xfe!");
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");
}

TEST(Printable, CutsLongTextBetweenCharacters) {
  EXPECT_EQ(printable(std::string(160, 'a')), std::string(160, 'a'));
  EXPECT_EQ(printable(std::string(161, 'a')), std::string(80, 'a') + "..." + std::string(80, 'a'));
  std::string foxes;
  for (int i = 0; i < 1'000'000; ++i) foxes += "\xe2\x82\xac";
  const std::string cut = printable(foxes);
  EXPECT_LE(cut.size(), 163U);
  EXPECT_EQ(cut.find("\\x"), std::string::npos);
  EXPECT_EQ(find_invalid_utf8(cut), std::nullopt);
}

TEST(AllPrintable, EscapesWithoutCutting) {
  EXPECT_EQ(all_printable(std::string(1000, 'a')), std::string(1000, 'a'));
  EXPECT_EQ(all_printable(std::string(200, 'a') + "\x1b"), std::string(200, 'a') + "\\x1b");
}

}  // namespace
}  // namespace reel
