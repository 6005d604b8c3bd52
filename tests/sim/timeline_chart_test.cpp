// The drawing of timelines: nothing covers anything else, and what a reader looks for is there.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/timeline_chart.hpp"
#include "sim/timeline_layout.hpp"
#include "tests/sim/timeline_samples.hpp"

namespace tenure::sim::timeline {
namespace {

std::vector<Timeline> all_samples() {
  return {samples::two_holders(), samples::lost_wake(), samples::late_write(), samples::large(90), samples::large(400)};
}

std::vector<Strip> strips_of(const Timeline& run) { return make_strips(run, events_of(run), make_tracks(run)); }

std::size_t count(std::string_view text, std::string_view words) {
  std::size_t found = 0;
  for (std::size_t i = text.find(words); i != std::string_view::npos; i = text.find(words, i + 1)) ++found;
  return found;
}

TEST(TimelineChart, NoLabelCoversAnotherOrIsCrossedByItsLine) {
  for (const Timeline& run : all_samples()) {
    for (const Strip& strip : strips_of(run)) {
      for (const Label& a : strip.labels) {
        EXPECT_GE(a.x, names_width) << a.text;
        EXPECT_LE(a.x + a.width, strip_width) << a.text;
        for (const Label& b : strip.labels) {
          if (&a == &b || a.lane != b.lane) continue;
          const bool is_beside = a.x + a.width <= b.x || b.x + b.width <= a.x;
          EXPECT_TRUE(a.row != b.row || is_beside) << a.text << " covers " << b.text;
          const bool crosses = a.row > b.row && b.x < a.x && a.x < b.x + b.width;
          EXPECT_FALSE(crosses) << "the line of " << a.text << " crosses " << b.text;
        }
      }
    }
  }
}

// Bars have their words in them, and a step that changes nothing can wait for the pointer.
TEST(TimelineChart, InAShortRunWhatMattersHasALabel) {
  for (const Timeline& run : {samples::two_holders(), samples::lost_wake(), samples::late_write(), samples::large(150)}) {
    const std::vector<Strip> strips = strips_of(run);
    for (const Event& event : events_of(run)) {
      const bool is_bar_event = event.source == Event::Source::span && is_bar(run.spans[event.index].kind);
      if (event.weight == Event::Weight::minor || is_bar_event || event.implied) continue;
      const auto is_its = [&](const Label& label) { return label.lane == event.lane && label.step == event.step; };
      EXPECT_TRUE(std::ranges::any_of(strips, [&](const Strip& strip) { return std::ranges::any_of(strip.labels, is_its); }))
          << event.words << " at step " << event.step;
    }
  }
}

TEST(TimelineChart, EveryStepHasItsPlaceAndTimeOnlyGrows) {
  for (const Timeline& run : all_samples()) {
    std::vector<std::uint32_t> steps;
    for (const Strip& strip : strips_of(run)) {
      int x = names_width;
      for (const Tick& tick : strip.ticks) {
        EXPECT_GT(tick.x, x);
        EXPECT_LE(tick.x, strip_width);
        EXPECT_EQ(strip.x(tick.step), tick.x);
        x = tick.x;
        steps.push_back(tick.step);
      }
    }
    EXPECT_EQ(steps, marked_steps(run));
  }
}

TEST(TimelineChart, IdleStretchesAreDrawnShort) {
  Timeline run;
  run.lanes = {{.name = "P0"}};
  for (const std::uint32_t step : {1U, 2U, 3U, 1'000'000U, 1'000'001U}) run.points.push_back({.lane = 0, .step = step, .label = "s"});
  const std::vector<Strip> strips = strips_of(run);
  ASSERT_EQ(strips.size(), 1U);
  EXPECT_LT(strips[0].x(1'000'000) - strips[0].x(3), 5 * (strips[0].x(3) - strips[0].x(2)));
  EXPECT_TRUE(strips[0].ticks[3].after_break);
  EXPECT_TRUE(has_break(run));
  run.points.resize(3);
  EXPECT_FALSE(has_break(run));
}

TEST(TimelineChart, ALeapOfTimeIsABreak) {
  const std::vector<Strip> strips = strips_of(samples::lost_wake());
  const auto tick = std::ranges::find(strips.back().ticks, 26U, &Tick::step);
  EXPECT_TRUE(tick->after_break);
}

TEST(TimelineChart, OnlyTheOverlapOfTwoHoldsIsHighlighted) {
  const auto overlaps = [](const Timeline& run) { return count(chart(run, events_of(run)), "class=\"overlap\""); };
  EXPECT_EQ(overlaps(samples::two_holders()), 2U);
  EXPECT_EQ(overlaps(samples::lost_wake()), 0U);
  const Timeline run = samples::two_holders();
  const Strip strip = strips_of(run).at(0);
  const std::string place = " x=\"" + std::to_string(strip.x(34)) + "\"";
  EXPECT_EQ(count(chart(run, events_of(run)), "class=\"overlap\"" + place), 2U) << "it begins where the second one begins to hold";
  EXPECT_EQ(overlaps(samples::late_write()), 0U);
}

TEST(TimelineChart, HoldsShowTheirTokensAndTheViolationItsName) {
  const Timeline run = samples::two_holders();
  const std::string svg = chart(run, events_of(run));
  EXPECT_EQ(count(svg, "orders #7"), 1U);
  EXPECT_EQ(count(svg, "orders #8"), 2U);
  EXPECT_EQ(count(svg, "exclusion at step 34"), 1U);
  EXPECT_EQ(count(svg, "name accused"), 2U);
}

TEST(TimelineChart, EachFateOfAMessageLooksDifferent) {
  const Timeline run = samples::late_write();
  const std::string svg = chart(run, events_of(run));
  EXPECT_EQ(count(svg, "class=\"late\""), 1U);
  EXPECT_EQ(count(svg, "class=\"second\""), 1U);
  EXPECT_EQ(count(svg, "class=\"end\""), 2U) << "one lost, one reset";
  EXPECT_EQ(count(svg, "class=\"head\""), run.arrows.size() - 2);
}

TEST(TimelineChart, AnArrowGoesOnInTheNextStrip) {
  Timeline run = samples::large(90);
  run.arrows = {{Arrow::Kind::request, Arrow::Fate::delivered, 0, 5, 2, 89, "slow"}};
  const std::vector<Strip> strips = strips_of(run);
  ASSERT_GT(strips.size(), 1U);
  const std::string svg = chart(run, events_of(run));
  EXPECT_EQ(count(svg, "class=\"arrow request\""), strips.size());
  EXPECT_EQ(count(svg, "class=\"head\""), 1U);
}

TEST(TimelineChart, WhatIsHeldAtTheSameTimeLiesInTwoTracks) {
  Timeline run;
  run.lanes = {{.name = "P0"}};
  run.spans = {{0, Span::Kind::holding, 1, 9, "a", 1}, {0, Span::Kind::holding, 3, 5, "b", 2}, {0, Span::Kind::holding, 5, 7, "c", 3}};
  const Tracks tracks = make_tracks(run);
  EXPECT_EQ(tracks.of_span, (std::vector<int>{0, 1, 1}));
  EXPECT_EQ(tracks.count, std::vector<int>{2});
}

TEST(TimelineChart, TheLegendNamesWhatIsThereAndNothingElse) {
  const std::string legend = chart_legend(samples::lost_wake());
  EXPECT_EQ(count(legend, ">asleep<") + count(legend, ">killed<") + count(legend, ">wakes<"), 3U) << legend;
  EXPECT_EQ(count(legend, "paused") + count(legend, "beside another") + count(legend, "late"), 0U) << legend;
}

}  // namespace
}  // namespace tenure::sim::timeline
