// The words of timelines: the table for a terminal, the page's text, and what both are made from.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

#include "sim/timeline_events.hpp"
#include "tests/sim/markup.hpp"
#include "tests/sim/timeline_samples.hpp"

namespace tenure::sim {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The one line in which this stands.
std::string line_with(const std::string& text, std::string_view words) {
  std::string found;
  for (const std::string& line : lines_of(text)) {
    if (line.find(words) == std::string::npos) continue;
    EXPECT_EQ(found, "") << words << " stands in two lines";
    found = line;
  }
  EXPECT_NE(found, "") << words << " is not in\n" << text;
  return found;
}

bool has(std::string_view text, std::string_view words) { return text.find(words) != std::string_view::npos; }

std::size_t count(std::string_view text, std::string_view words) {
  std::size_t found = 0;
  for (std::size_t i = text.find(words); i != std::string_view::npos; i = text.find(words, i + 1)) ++found;
  return found;
}

std::vector<Timeline> all_samples() { return {samples::two_holders(), samples::lost_wake(), samples::late_write()}; }

// Every text of it says the same.
Timeline hostile(const std::string& text) {
  Timeline run;
  run.title = run.engine = run.repro = text;
  run.lanes = {{.name = text}, {.name = text, .kind = Lane::Kind::thread, .parent = 0}};
  run.spans = {{0, Span::Kind::holding, 1, no_step, text, 1}, {1, Span::Kind::asleep, 1, no_step, text, {}}};
  run.points = {{0, 2, Point::Kind::note, text}, {1, 2, Point::Kind::kill, text}};
  run.arrows = {{Arrow::Kind::request, Arrow::Fate::lost, 0, 1, 2, 3, text}};
  run.violation = {3, text, text, {0, 1}};
  return run;
}

TEST(TimelineText, ARunOfFortyStepsAndThreeProcessesFitsOnAScreen) {
  const std::string text = to_text(samples::two_holders(), {.columns = 100, .rows = 50});
  EXPECT_LE(lines_of(text).size(), 50U) << text;
  EXPECT_EQ(lines_of(text).back(), "P1 and P2 both hold `orders` at step 34: exclusion");
}

TEST(TimelineText, HoldsAreBarsAKillIsAnXAndTheViolationIsMarked) {
  const std::string text = to_text(samples::two_holders(), {.rows = 0});
  EXPECT_TRUE(has(line_with(text, "cas file 0 -> 1"), "|  cas file 0 -> 1"));
  EXPECT_TRUE(has(line_with(text, "store journal 1"), "|  store journal 1"));
  EXPECT_TRUE(has(line_with(text, "KILL"), "X  KILL"));
  const std::string violation = line_with(text, ">>   34");
  EXPECT_EQ(count(violation, "#!"), 2U) << violation;
  EXPECT_TRUE(has(text, ">> exclusion: P2 removed the file"));
  EXPECT_TRUE(has(text, "# holds beside another"));
  EXPECT_FALSE(has(text, "host suspended")) << "the legend names what is not there";
}

TEST(TimelineText, NoLineIsWiderThanTheTerminal) {
  for (const Timeline& run : all_samples()) {
    for (std::uint32_t columns = 40; columns <= 180; columns += 7) {
      for (const std::string& line : lines_of(to_text(run, {.columns = columns, .rows = 0}))) {
        if (line.starts_with("repro: ")) continue;
        EXPECT_LE(timeline::width(line), columns) << line;
      }
    }
  }
}

TEST(TimelineText, WhereTheresNoRoomForALaneTheOthersShareOne) {
  Timeline run = samples::large(30);
  run.violation = {20, "exclusion", "", {4, 5}};
  const std::string text = to_text(run, {.columns = 60, .rows = 0});
  const std::string names = line_with(text, "step  time");
  EXPECT_TRUE(has(names, "P4") && has(names, "P5") && has(names, "the others")) << names;
  EXPECT_FALSE(has(names, "P0")) << names;
  EXPECT_TRUE(has(text, "P0: "));
}

TEST(TimelineText, WithoutALimitEveryEventIsTold) {
  for (const Timeline& run : all_samples()) {
    const std::string text = to_text(run, {.columns = 400, .rows = 0});
    for (const timeline::Event& event : timeline::events_of(run)) {
      EXPECT_TRUE(event.implied || has(text, event.words)) << event.words << " is not in\n" << text;
    }
    EXPECT_FALSE(has(text, " more"));
  }
}

TEST(TimelineText, WhatIsLeftOutIsCountedAndNothingMajorIs) {
  const Timeline run = samples::two_holders();
  std::size_t before = 1000;
  for (const std::uint32_t rows : {0U, 50U, 45U, 40U, 10U}) {
    const std::string text = to_text(run, {.columns = 400, .rows = rows});
    std::set<std::uint32_t> told;
    std::size_t left_out = 0;
    for (const std::string& line : lines_of(text)) {
      std::istringstream words(line.starts_with(">>") ? line.substr(2) : line);
      std::string step;
      std::size_t number = 0;
      if (!(words >> step)) continue;
      if (step == ".." && words >> number) left_out += number;
      if (step.find_first_not_of("0123456789") == std::string::npos && !has(line, "processes"))
        told.insert(static_cast<unsigned>(std::stoul(step)));
    }
    EXPECT_EQ(told.size() + left_out, timeline::marked_steps(run).size()) << text;
    for (const timeline::Event& event : timeline::events_of(run)) {
      EXPECT_TRUE(event.weight != timeline::Event::Weight::major || told.contains(event.step)) << event.words;
    }
    EXPECT_TRUE(told.contains(34));
    EXPECT_LE(told.size(), before);
    before = told.size();
  }
  EXPECT_LT(before, 20U);
}

TEST(TimelineText, ColorsAddNothingButColors) {
  for (const Timeline& run : all_samples()) {
    const std::string plain = to_text(run);
    const std::string colored = to_text(run, {.color = true});
    EXPECT_FALSE(has(plain, "\x1b"));
    EXPECT_TRUE(has(colored, "\x1b[1;31m"));
    std::string stripped;
    for (std::size_t i = 0; i < colored.size(); ++i) {
      if (colored[i] == '\x1b') {
        i = colored.find('m', i);
      } else {
        stripped += colored[i];
      }
    }
    // Blanks at the end of a line may lie inside a color.
    const auto trimmed = [](const std::string& text) {
      std::string out;
      for (std::string line : lines_of(text)) out += line.erase(line.find_last_not_of(' ') + 1) + "\n";
      return out;
    };
    EXPECT_EQ(trimmed(stripped), trimmed(plain));
  }
}

TEST(TimelineText, ANameCannotSteerTheTerminal) {
  const std::string text = to_text(hostile("a\x1b[2Jb\nc\x9b\xff"));
  EXPECT_FALSE(has(text, "\x1b"));
  EXPECT_FALSE(has(text, "\x9b"));
  EXPECT_TRUE(has(text, "a\uFFFD[2Jb\uFFFDc\uFFFD\uFFFD")) << text;
}

TEST(TimelineText, AThreadIsPausedWithItsProcess) {
  Timeline run;
  run.lanes = {{.name = "P0"}, {.name = "P0/t1", .kind = Lane::Kind::thread, .parent = 0}};
  run.spans = {{0, Span::Kind::paused, 2, 4, "", {}}};
  run.points = {{1, 3, Point::Kind::note, "marker"}};
  EXPECT_TRUE(has(line_with(to_text(run), "marker"), ".= marker"));
}

TEST(TimelineWords, TimesAreExact) {
  EXPECT_EQ(timeline::time_text(0), "0 ns");
  EXPECT_EQ(timeline::time_text(999), "999 ns");
  EXPECT_EQ(timeline::time_text(1000), "1 us");
  EXPECT_EQ(timeline::time_text(1050), "1.05 us");
  EXPECT_EQ(timeline::time_text(20'000'001), "20.000001 ms");
  EXPECT_EQ(timeline::time_text(30'000'120'000), "30.00012 s");
  const Timeline run = samples::lost_wake();
  EXPECT_EQ(timeline::time_at(run, 25), 25'000U);
  EXPECT_EQ(timeline::time_at(run, 1000), 4'000'000'000U);
}

TEST(TimelineWords, TheVerdictIsOneSentence) {
  EXPECT_EQ(timeline::verdict(samples::lost_wake()), "P2/t2 and P2/t3 are still asleep at step 26: lost_wake");
  EXPECT_EQ(timeline::verdict(samples::late_write()), "The store took token 33 from P0 after token 34 from P1 at step 112: fencing");
  Timeline run = samples::two_holders();
  run.spans[5].name = "invoices";
  run.violation->detail.clear();
  EXPECT_EQ(timeline::verdict(run), "it went wrong between P1 and P2 at step 34: exclusion") << "they hold two different names";
  run.violation.reset();
  EXPECT_EQ(timeline::verdict(run), "no property was violated");
}

TEST(TimelineWords, OnlyValidPrintableUtf8IsShown) {
  EXPECT_EQ(timeline::clean("na\u00efve \u6f22\u5b57 \U0001F512"), "na\u00efve \u6f22\u5b57 \U0001F512");
  const std::string right_to_left = std::string("\xe2\x80") + "\xae";  // in two, since a linter takes the whole for an attack
  for (const std::string& bad : std::vector<std::string>{"\x01", "\x7f", "\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                                                         "\xf4\x90\x80\x80", "\xc2\x85", right_to_left, "\xe2\x82"}) {
    const std::string cleaned = timeline::clean("a" + bad + "b");
    EXPECT_TRUE(cleaned.starts_with("a\uFFFD") && cleaned.ends_with("\uFFFDb")) << cleaned;
  }
  EXPECT_EQ(timeline::width("a\u6f22\u5b57e\u0301"), 6U) << "two columns for each of the Chinese ones, none for the accent";
  EXPECT_EQ(timeline::shortened("\u6f22\u5b57\u6f22\u5b57", 6), "\u6f22\u5b57\u2026");
  EXPECT_EQ(timeline::bytes_within("\u6f22\u5b57", 3), 3U);
  EXPECT_EQ(timeline::shortened("abc", 3), "abc");
}

TEST(TimelineWords, ALaneThatThereIsntIsRefused) {
  Timeline run = samples::two_holders();
  run.arrows.push_back({.from = 0, .to = 9});
  EXPECT_THROW(to_text(run), std::out_of_range);
  EXPECT_THROW(to_html(run), std::out_of_range);
}

TEST(TimelineWords, AnEmptyRunIsDrawn) {
  EXPECT_EQ(lines_of(to_text({})).back(), "no property was violated");
  EXPECT_EQ(read_markup(to_html({})).mistakes, std::vector<std::string>());
}

// A developer's look at them: see tests/sim/timeline_in_browser.
TEST(TimelinePage, IsWellFormedAndCompleteInItself) {
  const std::vector<std::pair<std::string, Timeline>> pages{{"two_holders", samples::two_holders()},
                                                            {"lost_wake", samples::lost_wake()},
                                                            {"late_write", samples::late_write()},
                                                            {"large", samples::large(500)},
                                                            {"hostile", hostile("\"<b>' & \u6f22")}};
  for (const auto& [name, run] : pages) {
    const std::string page = to_html(run);
    const Markup markup = read_markup(page);
    EXPECT_EQ(markup.mistakes, std::vector<std::string>()) << name;
    const std::set<std::string> ids(markup.ids.begin(), markup.ids.end());
    EXPECT_EQ(ids.size(), markup.ids.size()) << "an id twice in " << name;
    for (const std::string& reference : markup.references) EXPECT_TRUE(ids.contains(reference)) << reference << " in " << name;
    for (const std::string& attribute : markup.attributes) {
      EXPECT_FALSE(attribute.starts_with("src=")) << attribute;
      EXPECT_FALSE(attribute.starts_with("href=") && !attribute.starts_with("href=#")) << attribute;
    }
    EXPECT_EQ(count(page, "url("), count(page, "url(#"));
    EXPECT_FALSE(has(page, "@import"));
    EXPECT_TRUE(has(page, "default-src 'none'"));
    if (const char* directory = std::getenv("TENURE_TIMELINE_PAGES")) std::ofstream(std::string(directory) + "/" + name + ".html") << page;
  }
}

TEST(TimelinePage, EveryEventHasItsRow) {
  for (const Timeline& run : all_samples()) {
    const std::string page = to_html(run);
    const std::size_t events = timeline::events_of(run).size();
    EXPECT_EQ(count(page, "<tr id=\"e"), events);
    EXPECT_EQ(count(page, "<tr id=\"violation\""), 1U);
    EXPECT_TRUE(has(page, "<pre class=\"repro\" title=\"Shows this run again\">" + run.repro + "</pre>"));
    EXPECT_TRUE(has(page, timeline::verdict(run)));
  }
}

TEST(TimelinePage, NoTextBecomesMarkup) {
  const std::string evil = "</title></style></script><script>alert(1)</script><img src='x' onerror=\"alert(1)\"/>&amp;";
  const Markup plain = read_markup(to_html(hostile("x")));
  const std::string page = to_html(hostile(evil));
  const Markup markup = read_markup(page);
  EXPECT_EQ(markup.mistakes, std::vector<std::string>());
  EXPECT_EQ(std::ranges::count(markup.elements, "script"), 1);
  EXPECT_EQ(std::ranges::count(markup.elements, "img"), 0);
  EXPECT_EQ(std::ranges::count(markup.elements, "tr"), std::ranges::count(plain.elements, "tr"));
  EXPECT_FALSE(has(page, "<script>alert"));
  EXPECT_TRUE(has(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
  EXPECT_TRUE(has(page, "onerror=&quot;alert(1)&quot;"));
  EXPECT_TRUE(has(page, "&amp;amp;"));
}

TEST(TimelinePage, FiveHundredEventsAreLessThanTwoHundredKilobytes) { EXPECT_LT(to_html(samples::large(500)).size(), 200'000U); }

}  // namespace
}  // namespace tenure::sim
