#include "tools/text.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace tenure::tools {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(Text, CleanTakesAwayWhatMovesATerminal) {
  EXPECT_EQ(clean("a\x1b[2Jb\nc\x7f"), "a?[2Jb?c?");
  EXPECT_EQ(clean("Grün 日本 🙂"), "Grün 日本 🙂");
  EXPECT_EQ(clean("\xC2\x9B"
                  "1m"),
            "?1m");  // a control character of one byte, in UTF-8
  EXPECT_EQ(clean("a\xE2\x80\xAE"
                  "b"),
            "a?b");                                        // turns the direction of writing
  EXPECT_EQ(clean("\xFF\xC0\x80\xED\xA0\x80"), "??????");  // not UTF-8
  EXPECT_EQ(clean("\xF0\x9F"), "??");                      // cut short
}

TEST(Text, LongTextKeepsItsEnds) {
  EXPECT_EQ(clipped("12345678", 8), "12345678");
  EXPECT_EQ(clipped("123456789", 8), "1234...6789");
  EXPECT_EQ(clipped("üüüüü", 6), "ü...ü");  // no half characters
  EXPECT_EQ(clipped(std::string(9, '\xBF'), 8), "...");
  EXPECT_EQ(tools::quoted(std::string(1000, 'x')).size(), 405U);
}

TEST(Text, MomentsAreOfTheTimeZone) {
  setenv("TZ", "UTC", 1);
  const std::string year = moment_text(std::chrono::system_clock::now().time_since_epoch());
  EXPECT_TRUE(year == "1970-01-01 00:00:00" || year == "1969-12-31 23:59:59") << year;
}

TEST(Text, ShellWordsCanBePasted) {
  EXPECT_EQ(shell_word("backups/orders"), "backups/orders");
  EXPECT_EQ(shell_word("two words"), "'two words'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("$(rm -rf .)"), "'$(rm -rf .)'");
  EXPECT_EQ(shell_word(""), "''");
}

TEST(Text, DurationsAreSecondsUnlessTheySayOtherwise) {
  EXPECT_EQ(parse_duration("2"), seconds(2));
  EXPECT_EQ(parse_duration("0.25"), milliseconds(250));
  EXPECT_EQ(parse_duration(".5"), milliseconds(500));
  EXPECT_EQ(parse_duration("0"), nanoseconds(0));
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(parse_duration("2m"), seconds(120));
  EXPECT_EQ(parse_duration("1h"), seconds(3600));
  EXPECT_EQ(parse_duration("0.0000000019"), nanoseconds(1));
}

TEST(Text, WhatIsNoDurationIsNone) {
  for (const char* text : {"", "x", "-1", "1d", "1 s", "1ss", ".", "1.2.3", "99999999999999999999", "1e3", "0x10", "9999999h", "inf"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Text, NumbersAreDecimalAndFit) {
  EXPECT_EQ(parse_number("18446744073709551615"), UINT64_MAX);
  for (const char* text : {"", "18446744073709551616", "+1", "-1", " 1", "1 ", "0x1"}) EXPECT_FALSE(parse_number(text)) << text;
}

TEST(Text, DurationsReadWell) {
  EXPECT_EQ(duration_text(milliseconds(87)), "87 ms");
  EXPECT_EQ(duration_text(milliseconds(1540)), "1.5 s");
  EXPECT_EQ(duration_text(seconds(2)), "2 s");
  EXPECT_EQ(duration_text(seconds(125)), "2 min 5 s");
  EXPECT_EQ(duration_text(seconds(3600)), "1 h");
  EXPECT_EQ(duration_text(seconds(100 * 3600)), "4 d 4 h");
  EXPECT_EQ(duration_text(nanoseconds(-5)), "0 ms");
}

TEST(Text, ColumnsCountCharacters) { EXPECT_EQ(table_text({{"a", "b"}, {"ü", "c"}, {"long", "d"}}), "a     b\nü     c\nlong  d\n"); }

}  // namespace
}  // namespace tenure::tools
