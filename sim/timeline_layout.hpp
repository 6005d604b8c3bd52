// Where everything of a timeline lies on the page, in pixels.
//
// Time runs to the right, and goes on in the next strip when a strip is full, like lines of music. A step gets the room that its labels
// need; a long stretch in which nothing happens, or a leap of time, is drawn short and marked as a break. Labels lie in rows above their
// lane, the earlier one higher, so that no label, and no line from a label to its mark, crosses another label.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/timeline_events.hpp"

namespace tenure::sim::timeline {

constexpr int strip_width = 1200;
constexpr int names_width = 108;
constexpr int label_height = 14;
constexpr int bar_height = 17;
constexpr int axis_height = 38;

struct Tick {
  std::uint32_t step;
  int x;
  bool after_break;  // much time or many steps since the tick before
};

// The texts of all that begins on one lane at one step.
struct Label {
  LaneId lane;
  std::uint32_t step;
  int x;
  int width;
  int row;  // 0 is next to the lane
  std::string text;
};

struct LaneBox {
  int top;
  int line;  // y of the line of life, where the marks are
  int bars;  // y of the first bar
  int bottom;
};

struct Strip {
  std::vector<Tick> ticks;
  std::vector<Label> labels;
  std::vector<LaneBox> lanes;
  int height;

  std::uint32_t first_step() const { return ticks.front().step; }
  std::uint32_t last_step() const { return ticks.back().step; }
  bool has(std::uint32_t step) const { return first_step() <= step && step <= last_step(); }
  // Of any step; the left or right edge for one of another strip.
  int x(std::uint32_t step) const;
};

// What holds and waits on one lane at the same time lies in several tracks. One number a span; only of holding and waiting ones.
struct Tracks {
  std::vector<int> of_span;
  std::vector<int> count;  // of each lane
};
Tracks make_tracks(const Timeline& timeline);

constexpr bool is_bar(Span::Kind kind) { return kind == Span::Kind::holding || kind == Span::Kind::waiting; }

// Whether some stretch is drawn short.
bool has_break(const Timeline& timeline);
std::vector<Strip> make_strips(const Timeline& timeline, const std::vector<Event>& events, const Tracks& tracks);

// Of a text in the chart's fixed-width font.
int text_width(std::string_view text);

}  // namespace tenure::sim::timeline
