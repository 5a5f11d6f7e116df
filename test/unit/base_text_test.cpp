// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"

namespace onlink {
namespace {

TEST(Printable, KeepsWhatIsShown) {
  EXPECT_EQ(printable("node-1.example <&> \"x\""), "node-1.example <&> \"x\"");
  EXPECT_EQ(printable("Köln 日本 🖧"), "Köln 日本 🖧");
}

TEST(Printable, NothingMovesTheCursorOrTurnsTheText) {
  EXPECT_EQ(printable("a\033[31mb\r\n\t\x7f"), "a?[31mb????");
  EXPECT_EQ(printable("a\u0085b\u202ec\u200bd\ufeff\u2066"), "a?b?c?d??");
  EXPECT_EQ(printable(std::string(1, '\0')), "?");
}

TEST(Printable, WhatIsNoUtf8IsNotHandedOn) {
  EXPECT_EQ(printable("\xff"), "?");
  EXPECT_EQ(printable("a\xc3"), "a?");          // cut
  EXPECT_EQ(printable("\xc0\xaf"), "??");       // not the shortest form
  EXPECT_EQ(printable("\xed\xa0\x80"), "???");  // half of a pair
  EXPECT_EQ(printable("\xef\xbf\xbe"), "?");    // U+FFFE, which XML has not
  EXPECT_EQ(printable("\xf5\x80\x80\x80"), "????");
}

TEST(Columns, OfWideCharactersAreTwo) {
  EXPECT_EQ(columns_of("abc"), 3u);
  EXPECT_EQ(columns_of("Köln"), 4u);
  EXPECT_EQ(columns_of("日本"), 4u);
}

TEST(Shortened, KeepsBothEnds) {
  EXPECT_EQ(shortened("node-1", 6), "node-1");
  EXPECT_EQ(shortened("node-of-production-0017", 12), "node-...0017");
  for (std::size_t columns = 5; columns < 20; ++columns) {
    EXPECT_LE(columns_of(shortened("日本語日本語日本語日本語", columns)), columns);
    EXPECT_EQ(columns_of(shortened("abcdefghijklmnopqrstuvwxyz", columns)), columns);
  }
}

TEST(Wrapped, BreaksBetweenWords) {
  EXPECT_EQ(wrapped("one two three", 7), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(wrapped("", 7), std::vector<std::string>{});
}

TEST(Wrapped, AWordThatIsTooWideIsBroken) {
  EXPECT_EQ(wrapped("a bbbbbbbbbb c", 4), (std::vector<std::string>{"a", "bbbb", "bbbb", "bb c"}));
  EXPECT_EQ(wrapped("日本語", 5), (std::vector<std::string>{"日本", "語"}));
}

}  // namespace
}  // namespace onlink
